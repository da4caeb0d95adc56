//! The tables, and what every statement on them needs.

use crate::sqlite::JobError;
use berth_blocks::pubsub::PubSubError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Name under which the file records the version of these tables.
pub(super) const OWNER: &str = "pubsub";

/// Each step brings the tables from one version to the next. Times are milliseconds since 1970.
pub(super) const STEPS: &[&str] = &["
    -- `stored` counts the messages at rest, so that the limit costs no scan.
    CREATE TABLE pubsub_topic (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        stored INTEGER NOT NULL
    ) STRICT;

    -- What lies up to `cursor` was handed out, or waits in pubsub_pending. `blocked` counts rows of the group there
    -- that wait for an earlier message of their key.
    CREATE TABLE pubsub_group (
        id INTEGER PRIMARY KEY,
        topic INTEGER NOT NULL,
        name TEXT NOT NULL,
        cursor INTEGER NOT NULL,
        blocked INTEGER NOT NULL,
        UNIQUE (topic, name)
    ) STRICT;

    -- AUTOINCREMENT: an id below a cursor must never be given again, not even when the table was empty in between.
    CREATE TABLE pubsub_message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        topic INTEGER NOT NULL,
        published_at INTEGER NOT NULL,
        expires_at INTEGER,
        keep_until INTEGER,
        key TEXT,
        content_type TEXT NOT NULL,
        metadata TEXT,
        data BLOB NOT NULL
    ) STRICT;
    CREATE INDEX pubsub_message_topic ON pubsub_message (topic);
    CREATE INDEX pubsub_message_expires ON pubsub_message (expires_at) WHERE expires_at IS NOT NULL;
    CREATE INDEX pubsub_message_kept ON pubsub_message (keep_until) WHERE keep_until IS NOT NULL;

    -- A message that a group was given and has not settled. It may be claimed from `visible_at` on: the end of its
    -- lease or of its delay; NULL while an earlier message of its key is here. `owner` is the host's run that holds
    -- the lease and `claim` the number of the claim in that run, so that a lease that was lost settles nothing.
    CREATE TABLE pubsub_pending (
        grp INTEGER NOT NULL,
        msg INTEGER NOT NULL,
        visible_at INTEGER,
        attempt INTEGER NOT NULL,
        owner INTEGER,
        claim INTEGER,
        key TEXT,
        PRIMARY KEY (grp, msg)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX pubsub_pending_visible ON pubsub_pending (grp, visible_at) WHERE visible_at IS NOT NULL;
    CREATE INDEX pubsub_pending_key ON pubsub_pending (grp, key, msg) WHERE key IS NOT NULL;
"];

/// What a job on these tables gives.
pub(super) type Answer<T> = Result<T, JobError<PubSubError>>;

/// A topic's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TopicId(pub i64);

/// A consumer group's row; a group belongs to one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupId(pub i64);

/// A message's row; later messages have greater ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MessageId(pub i64);

/// Milliseconds since 1970, the form of every time in the tables.
pub(super) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, millis)
}

/// A duration in the tables' unit; what does not fit ends with the calendar.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A point in time `after` now.
pub(super) fn millis_after(now: i64, after: Duration) -> i64 {
    now.saturating_add(millis(after))
}

/// A time from the tables.
pub(super) fn time_of(at: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at).unwrap_or(0))
}

/// Metadata in the tables: pairs in JSON, nothing if there are none.
pub(super) fn encode_metadata(metadata: &[(String, String)]) -> Option<String> {
    (!metadata.is_empty()).then(|| serde_json::json!(metadata).to_string())
}

/// The reverse of [`encode_metadata`].
pub(super) fn decode_metadata(text: Option<&str>) -> Vec<(String, String)> {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}
