//! What ends or renews a lease, and when a message goes.

use super::{
    lease::Ticket,
    tables::{Answer, GroupId, MessageId, TopicId, millis_after, now_millis},
};
use crate::sqlite::refused;
use berth_blocks::pubsub::{Attempt, PubSubError};
use rusqlite::{OptionalExtension, Transaction};
use std::time::Duration;

/// Whether a settled message let a later one of its key through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freed {
    /// Somebody should look.
    Next,
    /// Nothing to look for.
    Nothing,
}

/// The group is done with the message.
pub(super) fn acknowledge(transaction: &Transaction<'_>, ticket: Ticket) -> Answer<Freed> {
    let mut delete = transaction.prepare_cached(
        "DELETE FROM pubsub_pending WHERE grp = ?1 AND msg = ?2 AND owner = ?3 AND claim = ?4 RETURNING key",
    )?;
    let (group, message) = (ticket.group, ticket.message);
    let deleted = delete.query_row((group.0, message.0, ticket.run, ticket.claim), |row| {
        row.get(0)
    });
    let Some(key) = deleted.optional()? else {
        return if is_pending(transaction, group, message)? {
            refused(lost(ticket))
        } else {
            // Somebody else has settled it, or a person removed it: it does not come again.
            Ok(Freed::Nothing)
        };
    };
    let now = now_millis();
    let freed = free_next(transaction, group, key, now)?;
    discard_if_done(transaction, message, now)?;
    Ok(freed)
}

/// The message comes again after `delay`, unless the lease was lost: then it does so anyway.
pub(super) fn release(
    transaction: &Transaction<'_>,
    ticket: Ticket,
    delay: Duration,
    count: Attempt,
) -> Result<(), rusqlite::Error> {
    let uncounted = match count {
        Attempt::Counted => 0,
        Attempt::NotCounted => 1,
    };
    let visible_at = millis_after(now_millis(), delay);
    transaction
        .prepare_cached(
            "UPDATE pubsub_pending SET visible_at = ?5, owner = NULL, attempt = attempt - ?6
             WHERE grp = ?1 AND msg = ?2 AND owner = ?3 AND claim = ?4",
        )?
        .execute((
            ticket.group.0,
            ticket.message.0,
            ticket.run,
            ticket.claim,
            visible_at,
            uncounted,
        ))
        .map(drop)
}

/// Starts the lease anew.
pub(super) fn extend(
    transaction: &Transaction<'_>,
    ticket: Ticket,
    duration: Duration,
) -> Answer<()> {
    let until = millis_after(now_millis(), duration);
    let mut extend = transaction.prepare_cached(
        "UPDATE pubsub_pending SET visible_at = ?5
         WHERE grp = ?1 AND msg = ?2 AND owner = ?3 AND claim = ?4",
    )?;
    let (group, message) = (ticket.group.0, ticket.message.0);
    match extend.execute((group, message, ticket.run, ticket.claim, until))? {
        0 => refused(lost(ticket)),
        _ => Ok(()),
    }
}

/// Takes a message out of its topic and every group; gives the topic if it was there.
pub(super) fn remove(
    transaction: &Transaction<'_>,
    topic: &str,
    id: MessageId,
) -> Answer<Option<TopicId>> {
    let mut find = transaction.prepare_cached(
        "SELECT t.id FROM pubsub_message m JOIN pubsub_topic t ON t.id = m.topic WHERE m.id = ?1 AND t.name = ?2",
    )?;
    let found = find.query_row((id.0, topic), |row| row.get(0).map(TopicId));
    let Some(topic) = found.optional()? else {
        return Ok(None);
    };
    let now = now_millis();
    for group in groups(transaction, topic)? {
        end(transaction, group, id, now)?;
    }
    discard(transaction, id, topic)?;
    Ok(Some(topic))
}

/// Ends what a group still wants of a message that nobody may have any more.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    group: GroupId,
    message: MessageId,
    now: i64,
) -> Result<(), rusqlite::Error> {
    end(transaction, group, message, now)?;
    discard_if_done(transaction, message, now)
}

/// Takes a message out of a group, whoever holds it.
pub(super) fn end(
    transaction: &Transaction<'_>,
    group: GroupId,
    message: MessageId,
    now: i64,
) -> Result<(), rusqlite::Error> {
    let mut delete = transaction.prepare_cached(
        "DELETE FROM pubsub_pending WHERE grp = ?1 AND msg = ?2 RETURNING key, visible_at IS NULL",
    )?;
    let deleted = delete.query_row((group.0, message.0), |row| Ok((row.get(0)?, row.get(1)?)));
    match deleted.optional()? {
        Some((_, true)) => count_blocked_out(transaction, group),
        Some((key, false)) => free_next(transaction, group, key, now).map(drop),
        None => Ok(()),
    }
}

/// The first of the messages that waited for their key may be claimed.
fn free_next(
    transaction: &Transaction<'_>,
    group: GroupId,
    key: Option<String>,
    now: i64,
) -> Result<Freed, rusqlite::Error> {
    let Some(key) = key else {
        return Ok(Freed::Nothing);
    };
    let mut free = transaction.prepare_cached(
        "UPDATE pubsub_pending SET visible_at = ?3 WHERE visible_at IS NULL AND grp = ?1
         AND msg = (SELECT min(msg) FROM pubsub_pending WHERE grp = ?1 AND key = ?2)",
    )?;
    if free.execute((group.0, key, now))? == 0 {
        return Ok(Freed::Nothing);
    }
    count_blocked_out(transaction, group)?;
    Ok(Freed::Next)
}

fn count_blocked_out(transaction: &Transaction<'_>, group: GroupId) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("UPDATE pubsub_group SET blocked = blocked - 1 WHERE id = ?1")?
        .execute([group.0])
        .map(drop)
}

/// Deletes a message if every group is done with it and nothing asks to keep it.
pub(super) fn discard_if_done(
    transaction: &Transaction<'_>,
    message: MessageId,
    now: i64,
) -> Result<(), rusqlite::Error> {
    let mut done = transaction.prepare_cached(
        "SELECT m.topic FROM pubsub_message m
         WHERE m.id = ?1 AND (m.keep_until IS NULL OR m.keep_until <= ?2)
         AND NOT EXISTS (SELECT 1 FROM pubsub_group g WHERE g.topic = m.topic AND (g.cursor < ?1
            OR EXISTS (SELECT 1 FROM pubsub_pending p WHERE p.grp = g.id AND p.msg = ?1)))",
    )?;
    let topic = done.query_row((message.0, now), |row| row.get(0).map(TopicId));
    match topic.optional()? {
        Some(topic) => discard(transaction, message, topic),
        None => Ok(()),
    }
}

/// Deletes a message and counts it out.
pub(super) fn discard(
    transaction: &Transaction<'_>,
    message: MessageId,
    topic: TopicId,
) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("DELETE FROM pubsub_message WHERE id = ?1")?
        .execute([message.0])?;
    transaction
        .prepare_cached("UPDATE pubsub_topic SET stored = stored - 1 WHERE id = ?1")?
        .execute([topic.0])
        .map(drop)
}

/// The groups of a topic.
pub(super) fn groups(
    transaction: &Transaction<'_>,
    topic: TopicId,
) -> Result<Vec<GroupId>, rusqlite::Error> {
    let mut groups = transaction.prepare_cached("SELECT id FROM pubsub_group WHERE topic = ?1")?;
    let rows = groups.query_map([topic.0], |row| row.get(0).map(GroupId))?;
    rows.collect()
}

fn is_pending(
    transaction: &Transaction<'_>,
    group: GroupId,
    message: MessageId,
) -> Result<bool, rusqlite::Error> {
    transaction
        .prepare_cached("SELECT 1 FROM pubsub_pending WHERE grp = ?1 AND msg = ?2")?
        .exists((group.0, message.0))
}

fn lost(ticket: Ticket) -> PubSubError {
    PubSubError::Other(format!(
        "the lease on message {} has run out, and the message may be with somebody else",
        ticket.message.0
    ))
}
