//! Claiming: the next messages of a group, leased in the transaction that finds them.

use super::{
    lease::{Fetched, LeaseTerms, Ticket},
    settle,
    tables::{Answer, GroupId, MessageId, decode_metadata, millis_after, now_millis, time_of},
};
use crate::sqlite::JobError;
use berth_blocks::pubsub::PubSubError;
use rusqlite::{Row, Transaction};
use tokio::sync::OwnedSemaphorePermit;

/// Messages that one claim looks at, so that other callers of the file do not wait long.
const SCANNED_MAX: usize = 1_000;

/// Messages of a group that may wait for an earlier one of their key. Beyond, the group stops reading ahead, and
/// messages of other keys wait, too.
const BLOCKED_MAX: i64 = 10_000;

/// What a claim found.
pub(super) struct Claimed {
    pub(super) messages: Vec<Fetched>,
    /// When a message may become free without anybody's notice: a lease or a delay ends.
    pub(super) next_at: Option<i64>,
    /// More may be found at once.
    pub(super) more: bool,
}

/// A message as it is read.
struct Found {
    id: MessageId,
    expires_at: Option<i64>,
    published_at: i64,
    key: Option<String>,
    content_type: String,
    metadata: Option<String>,
    data: Vec<u8>,
}

/// The columns of [`Found`].
const COLUMNS: &str =
    "m.id, m.expires_at, m.published_at, m.key, m.content_type, m.metadata, m.data";

impl Found {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            id: MessageId(row.get(0)?),
            expires_at: row.get(1)?,
            published_at: row.get(2)?,
            key: row.get(3)?,
            content_type: row.get(4)?,
            metadata: row.get(5)?,
            data: row.get(6)?,
        })
    }

    fn has_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// One claim in progress.
struct Claim<'a> {
    transaction: &'a Transaction<'a>,
    terms: &'a LeaseTerms,
    now: i64,
    /// One place for each message that may be taken.
    places: OwnedSemaphorePermit,
    taken: Vec<Fetched>,
}

/// Leases as many messages as there are places: first those that come again, then new ones.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    terms: &LeaseTerms,
    places: OwnedSemaphorePermit,
) -> Answer<Claimed> {
    let taken = Vec::with_capacity(places.num_permits());
    let now = now_millis();
    let mut claim = Claim {
        transaction,
        terms,
        now,
        places,
        taken,
    };
    let mut more = claim.take_visible()?;
    if claim.has_place() {
        more |= claim.take_new()?;
    }
    let next_at = if claim.taken.is_empty() {
        next_visible(transaction, terms.group)?
    } else {
        None
    };
    Ok(Claimed {
        more: more && claim.taken.is_empty(),
        messages: claim.taken,
        next_at,
    })
}

impl Claim<'_> {
    fn has_place(&self) -> bool {
        self.places.num_permits() > 0
    }

    /// Messages whose lease or delay has ended, longest first. True: expired ones were passed over, look again.
    fn take_visible(&mut self) -> Answer<bool> {
        let group = self.terms.group;
        let mut visible = self.transaction.prepare_cached(&format!(
            "SELECT {COLUMNS}, p.attempt FROM pubsub_pending p JOIN pubsub_message m ON m.id = p.msg
             WHERE p.grp = ?1 AND p.visible_at <= ?2 ORDER BY p.visible_at, p.msg LIMIT ?3"
        ))?;
        let mut renew = self.transaction.prepare_cached(
            "UPDATE pubsub_pending SET visible_at = ?3, attempt = ?4, owner = ?5, claim = ?6
             WHERE grp = ?1 AND msg = ?2",
        )?;
        let places = u32::try_from(self.places.num_permits()).unwrap_or(u32::MAX);
        let rows = visible.query_map((group.0, self.now, places), |row| {
            Ok((Found::read(row)?, row.get::<_, u32>(7)?))
        })?;
        // Collected, since leasing moves rows within the index that the query walks.
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let mut passed_over = false;
        for (found, attempts) in rows {
            if found.has_expired(self.now) {
                settle::forget(self.transaction, group, found.id, self.now)?;
                passed_over = true;
                continue;
            }
            let (attempt, ticket) = (attempts.saturating_add(1), self.ticket(found.id));
            let (until, claim) = (self.lease_end(), ticket.claim);
            renew.execute((group.0, found.id.0, until, attempt, ticket.run, claim))?;
            self.take(found, attempt, ticket);
        }
        Ok(passed_over)
    }

    /// Messages behind the cursor. True: the look ahead ended before the topic did.
    fn take_new(&mut self) -> Answer<bool> {
        let group = self.terms.group;
        let (cursor, mut blocked) = cursor(self.transaction, group)?;
        let mut new = self.transaction.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM pubsub_message m WHERE m.topic = ?1 AND m.id > ?2 ORDER BY m.id"
        ))?;
        let mut rows = new.query((self.terms.topic.0, cursor.0))?;
        let (mut last, mut scanned, mut expired) = (cursor, 0, Vec::new());
        let mut more = false;
        while self.has_place() && blocked < BLOCKED_MAX {
            let Some(row) = rows.next()? else { break };
            let found = Found::read(row)?;
            (last, scanned) = (found.id, scanned + 1);
            if found.has_expired(self.now) {
                expired.push(found.id);
            } else if self.is_blocked(&found)? {
                self.await_turn(&found)?;
                blocked += 1;
            } else {
                self.take_first_time(found)?;
            }
            if scanned == SCANNED_MAX {
                more = true;
                break;
            }
        }
        drop(rows);
        if last != cursor {
            set_cursor(self.transaction, group, last, blocked)?;
        }
        for message in expired {
            settle::discard_if_done(self.transaction, message, self.now)?;
        }
        Ok(more)
    }

    /// Whether an earlier message of the same key is unsettled.
    fn is_blocked(&self, found: &Found) -> Result<bool, rusqlite::Error> {
        let Some(key) = &found.key else {
            return Ok(false);
        };
        self.transaction
            .prepare_cached("SELECT 1 FROM pubsub_pending WHERE grp = ?1 AND key = ?2 LIMIT 1")?
            .exists((self.terms.group.0, key))
    }

    fn await_turn(&self, found: &Found) -> Result<(), rusqlite::Error> {
        self.transaction
            .prepare_cached(
                "INSERT INTO pubsub_pending (grp, msg, visible_at, attempt, owner, claim, key)
                 VALUES (?1, ?2, NULL, 0, NULL, NULL, ?3)",
            )?
            .execute((self.terms.group.0, found.id.0, &found.key))
            .map(drop)
    }

    fn take_first_time(&mut self, found: Found) -> Result<(), rusqlite::Error> {
        let mut lease = self.transaction.prepare_cached(
            "INSERT INTO pubsub_pending (grp, msg, visible_at, attempt, owner, claim, key)
             VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6)",
        )?;
        let (ticket, until) = (self.ticket(found.id), self.lease_end());
        let (group, message) = (ticket.group.0, ticket.message.0);
        lease.execute((group, message, until, ticket.run, ticket.claim, &found.key))?;
        self.take(found, 1, ticket);
        Ok(())
    }

    fn lease_end(&self) -> i64 {
        millis_after(self.now, self.terms.duration)
    }

    fn ticket(&self, message: MessageId) -> Ticket {
        let broker = &self.terms.broker;
        Ticket {
            group: self.terms.group,
            topic: self.terms.topic,
            message,
            run: self.terms.run,
            claim: broker.next_claim(),
        }
    }

    /// The lease takes its place with it and gives it back when it is answered.
    fn take(&mut self, found: Found, attempt: u32, ticket: Ticket) {
        let Some(place) = self.places.split(1) else {
            return;
        };
        self.taken.push(Fetched {
            lease: self.terms.lease(ticket, place),
            data: found.data.into(),
            content_type: found.content_type,
            metadata: decode_metadata(found.metadata.as_deref()),
            attempt,
            published_at: time_of(found.published_at),
        });
    }
}

fn cursor(
    transaction: &Transaction<'_>,
    group: GroupId,
) -> Result<(MessageId, i64), JobError<PubSubError>> {
    let mut cursor =
        transaction.prepare_cached("SELECT cursor, blocked FROM pubsub_group WHERE id = ?1")?;
    Ok(cursor.query_row([group.0], |row| Ok((MessageId(row.get(0)?), row.get(1)?)))?)
}

fn set_cursor(
    transaction: &Transaction<'_>,
    group: GroupId,
    cursor: MessageId,
    blocked: i64,
) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("UPDATE pubsub_group SET cursor = ?2, blocked = ?3 WHERE id = ?1")?
        .execute((group.0, cursor.0, blocked))
        .map(drop)
}

fn next_visible(
    transaction: &Transaction<'_>,
    group: GroupId,
) -> Result<Option<i64>, rusqlite::Error> {
    transaction
        .prepare_cached(
            "SELECT min(visible_at) FROM pubsub_pending WHERE grp = ?1 AND visible_at IS NOT NULL",
        )?
        .query_row([group.0], |row| row.get(0))
}
