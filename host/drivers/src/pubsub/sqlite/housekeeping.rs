//! What happens without a caller: notice of other processes, and the end of messages whose time is over.

use super::{
    broker::Broker,
    settle,
    tables::{MessageId, TopicId, millis, now_millis},
};
use crate::sqlite::EngineError;
use rusqlite::Transaction;
use std::{
    sync::Weak,
    time::{Duration, Instant},
};

/// How often to look whether another process has published.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often to delete what is over.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// Messages that one transaction looks at, so that callers do not wait long.
const SWEPT_MAX: u32 = 500;

/// Runs until the backend is closed.
pub(super) async fn keep(broker: Weak<Broker>, retention: Duration) {
    let mut seen = None;
    let mut swept_at = Instant::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(broker) = broker.upgrade() else {
            return;
        };
        let mut done = look(&broker, &mut seen).await;
        if done.is_ok() && swept_at.elapsed() >= SWEEP_EVERY {
            swept_at = Instant::now();
            done = sweep(&broker, retention).await;
        }
        if let Err(error) = done {
            tracing::warn!(%error, "looking after the messages of pubsub.sqlite");
        }
    }
}

/// Wakes consumers when another process has written to the file.
async fn look(broker: &Broker, seen: &mut Option<i64>) -> Result<(), EngineError> {
    let version = broker.database.apply(|transaction| {
        transaction.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0))
    });
    let version = version.await?;
    if seen.replace(version).is_some_and(|seen| seen != version) {
        broker.wake_all();
    }
    Ok(())
}

/// Deletes what is over, a few messages per transaction.
pub(super) async fn sweep(broker: &Broker, retention: Duration) -> Result<(), EngineError> {
    let database = &broker.database;
    while database.apply(sweep_expired).await? == SWEPT_MAX as usize {}
    while database.apply(sweep_kept).await? == SWEPT_MAX as usize {}
    let topics = database.apply(topics_without_groups).await?;
    for topic in topics {
        let mut next = Some(MessageId(0));
        while let Some(after) = next {
            let sweep = database
                .apply(move |transaction| sweep_retained(transaction, topic, after, retention));
            next = sweep.await?;
        }
    }
    // Later messages of a key may have been freed.
    broker.wake_all();
    Ok(())
}

fn messages(
    transaction: &Transaction<'_>,
    query: &str,
    now: i64,
) -> Result<Vec<MessageId>, rusqlite::Error> {
    let mut statement = transaction.prepare_cached(query)?;
    let rows = statement.query_map((now, SWEPT_MAX), |row| row.get(0).map(MessageId))?;
    rows.collect()
}

/// Messages past their time to live, but for those that a handler has right now.
fn sweep_expired(transaction: &Transaction<'_>) -> Result<usize, rusqlite::Error> {
    let now = now_millis();
    let expired = messages(
        transaction,
        "SELECT m.id FROM pubsub_message m WHERE m.expires_at <= ?1 AND NOT EXISTS
            (SELECT 1 FROM pubsub_group g JOIN pubsub_pending p ON p.grp = g.id AND p.msg = m.id
             WHERE g.topic = m.topic AND p.owner IS NOT NULL AND p.visible_at > ?1)
         LIMIT ?2",
        now,
    )?;
    for message in &expired {
        let topic = transaction
            .prepare_cached("SELECT topic FROM pubsub_message WHERE id = ?1")?
            .query_row([message.0], |row| row.get(0).map(TopicId))?;
        for group in settle::groups(transaction, topic)? {
            settle::end(transaction, group, *message, now)?;
        }
        settle::discard(transaction, *message, topic)?;
    }
    Ok(expired.len())
}

/// Messages that were kept on top of their consumption: from now on that alone decides.
fn sweep_kept(transaction: &Transaction<'_>) -> Result<usize, rusqlite::Error> {
    let now = now_millis();
    let query = "SELECT id FROM pubsub_message WHERE keep_until <= ?1 LIMIT ?2";
    let kept = messages(transaction, query, now)?;
    for message in &kept {
        transaction
            .prepare_cached("UPDATE pubsub_message SET keep_until = NULL WHERE id = ?1")?
            .execute([message.0])?;
        if has_groups(transaction, *message)? {
            settle::discard_if_done(transaction, *message, now)?;
        }
    }
    Ok(kept.len())
}

fn has_groups(transaction: &Transaction<'_>, message: MessageId) -> Result<bool, rusqlite::Error> {
    transaction
        .prepare_cached(
            "SELECT 1 FROM pubsub_message m JOIN pubsub_group g ON g.topic = m.topic WHERE m.id = ?1",
        )?
        .exists([message.0])
}

fn topics_without_groups(transaction: &Transaction<'_>) -> Result<Vec<TopicId>, rusqlite::Error> {
    let mut topics = transaction.prepare_cached(
        "SELECT id FROM pubsub_topic t WHERE stored > 0
         AND NOT EXISTS (SELECT 1 FROM pubsub_group g WHERE g.topic = t.id)",
    )?;
    let rows = topics.query_map([], |row| row.get(0).map(TopicId))?;
    rows.collect()
}

/// Messages of a topic that nobody reads, older than `retention`. Gives where to go on.
fn sweep_retained(
    transaction: &Transaction<'_>,
    topic: TopicId,
    after: MessageId,
    retention: Duration,
) -> Result<Option<MessageId>, rusqlite::Error> {
    if !settle::groups(transaction, topic)?.is_empty() {
        return Ok(None);
    }
    let mut oldest = transaction.prepare_cached(
        "SELECT id, published_at <= ?3, keep_until IS NOT NULL FROM pubsub_message
         WHERE topic = ?1 AND id > ?2 ORDER BY id LIMIT ?4",
    )?;
    let until = now_millis().saturating_sub(millis(retention));
    let rows = oldest.query_map((topic.0, after.0, until, SWEPT_MAX), |row| {
        Ok((MessageId(row.get(0)?), row.get(1)?, row.get(2)?))
    })?;
    let rows = rows.collect::<Result<Vec<(MessageId, bool, bool)>, _>>()?;
    let mut last = None;
    for (message, is_old, is_kept) in rows {
        if !is_old {
            return Ok(None);
        }
        if !is_kept {
            settle::discard(transaction, message, topic)?;
        }
        last = Some(message);
    }
    Ok(last)
}
