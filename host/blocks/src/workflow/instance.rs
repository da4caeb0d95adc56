//! An instance as its row shows it.

use super::MessageId;
use berth_resources::{AppId, Namespace};
use bytes::Bytes;
use std::{fmt, sync::Arc, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A point in time: milliseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The point in time `after` this one; what does not fit ends with the calendar.
    #[must_use]
    pub fn after(self, after: Duration) -> Self {
        let millis = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long it takes from here to `later`; nothing if that is past.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        let millis = later.0.saturating_sub(self.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

/// RFC 3339, UTC; empty for a year that the standard does not know.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0) * 1_000_000;
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
        let text = at.and_then(|at| at.format(&Rfc3339).ok());
        f.write_str(&text.unwrap_or_default())
    }
}

/// The identity of an instance. Shared, since every event and message names one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceKey {
    /// The tenant.
    pub namespace: Namespace,
    /// The app whose guest holds the workflow.
    pub app: AppId,
    /// Chosen by whoever starts it, or a UUID.
    pub id: Arc<str>,
}

impl InstanceKey {
    /// The instance with this ID.
    #[must_use]
    pub fn new(namespace: Namespace, app: AppId, id: &str) -> Self {
        Self {
            namespace,
            app,
            id: id.into(),
        }
    }
}

/// As messages name it: within a namespace.
impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workflow \"{}\" of app \"{}\"", self.id, self.app)
    }
}

impl fmt::Debug for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.app, self.id)
    }
}

/// Where an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Created, its code has not run.
    Pending,
    /// Runs or waits.
    Running,
    /// Takes nothing in until it is resumed.
    Suspended,
    /// Its code does not fit its history, or cannot run here; goes on when the code changes.
    Stalled,
    /// Ended with a result.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended with an error after it was asked to cancel.
    Canceled,
    /// Ended from outside.
    Terminated,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Running,
        Self::Suspended,
        Self::Stalled,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Terminated,
    ];

    /// Those that an instance never leaves.
    pub const TERMINAL: [Self; 4] = [
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Terminated,
    ];

    /// Whether an instance never leaves it.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        Self::TERMINAL.contains(&self)
    }

    /// The name that stores keep and tools show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Suspended => "SUSPENDED",
            Self::Stalled => "STALLED",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELED",
            Self::Terminated => "TERMINATED",
        }
    }

    /// The status of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an instance waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Such as `activity "charge"`.
    pub on: String,
    /// Since when.
    pub since: Timestamp,
}

/// The part of a row that each commit writes anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceState {
    /// Where it stands.
    pub status: Status,
    /// What it waits for.
    pub waiting: Option<Waiting>,
    /// Set by the workflow, shown by tools.
    pub custom_status: Option<String>,
    /// Digest of the code that it runs, where the executor names one.
    pub code: Option<String>,
    /// Why it is stalled, or what kept it from running.
    pub problem: Option<String>,
    /// Result or error, in the engine's encoding. Set when it ended.
    pub outcome: Option<Bytes>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it may be purged.
    pub expires_at: Option<Timestamp>,
}

impl InstanceState {
    /// An instance whose code has not run.
    #[must_use]
    pub fn pending() -> Self {
        Self {
            status: Status::Pending,
            waiting: None,
            custom_status: None,
            code: None,
            problem: None,
            outcome: None,
            finished_at: None,
            expires_at: None,
        }
    }
}

/// The row of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRow {
    /// Its identity.
    pub key: InstanceKey,
    /// Tells the runs of one ID apart: new with each start and each continue-as-new.
    pub execution: String,
    /// Name of the workflow.
    pub workflow: String,
    /// Who started it as a child.
    pub parent: Option<InstanceKey>,
    /// What each commit writes.
    pub state: InstanceState,
    /// Number of events in its history, which is the number of the next one.
    pub events: u64,
    /// One more with every commit.
    pub version: u64,
    /// One more with every claim: what fences former owners.
    pub epoch: u64,
    /// The host that owns it.
    pub owner: Option<String>,
    /// When somebody should take it, if nobody owns it.
    pub ready_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Last commit.
    pub updated_at: Timestamp,
}

/// Which instances a host wants.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The host; it has joined.
    pub owner: String,
    /// The apps that it serves.
    pub apps: Vec<(Namespace, AppId)>,
    /// At most this many.
    pub limit: usize,
    /// The host's clock.
    pub now: Timestamp,
}

/// An instance that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its row, with the new epoch.
    pub row: InstanceRow,
    /// Taken from a host whose lease had ended: what ran there has been lost.
    pub taken_over: bool,
}

/// What a claim gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// The instances.
    pub claimed: Vec<Claimed>,
    /// When the next one becomes ready, as far as is known.
    pub next_ready_at: Option<Timestamp>,
}

/// Which instances to list.
#[derive(Debug, Clone)]
pub struct InstanceQuery {
    /// The tenant.
    pub namespace: Namespace,
    /// Of this app only.
    pub app: Option<AppId>,
    /// Of this workflow only.
    pub workflow: Option<String>,
    /// In one of these statuses; empty: any.
    pub statuses: Vec<Status>,
    /// Whose ID begins like this; empty: any.
    pub id_prefix: String,
    /// Children of this instance only.
    pub parent: Option<InstanceKey>,
    /// At most this many.
    pub limit: usize,
    /// `next` of the page before.
    pub token: Option<String>,
}

impl InstanceQuery {
    /// The first instances of a namespace, at most `limit`.
    #[must_use]
    pub fn all(namespace: Namespace, limit: usize) -> Self {
        Self {
            namespace,
            app: None,
            workflow: None,
            statuses: Vec::new(),
            id_prefix: String::new(),
            parent: None,
            limit,
            token: None,
        }
    }

    /// The first children of an instance.
    #[must_use]
    pub fn children(parent: InstanceKey, limit: usize) -> Self {
        Self {
            parent: Some(parent.clone()),
            ..Self::all(parent.namespace, limit)
        }
    }
}

/// A page of instances.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstancePage {
    /// Their rows.
    pub rows: Vec<InstanceRow>,
    /// Token of the page that follows; absent at the end.
    pub next: Option<String>,
}

impl MessageId {
    /// Before every message.
    pub const START: Self = Self(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_standard_says() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(1_500).to_string(), "1970-01-01T00:00:01.5Z");
    }
}
