//! Publishing: one row per message, one counter per topic.

use super::tables::{Answer, TopicId, encode_metadata, millis_after, now_millis};
use crate::sqlite::{JobError, refused};
use berth_blocks::pubsub::{OutboundMessage, PubSubError};
use rusqlite::{OptionalExtension, Transaction};

/// Stores a message; gives its topic, for those who wait there.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    message: &OutboundMessage,
    length_max: u32,
) -> Answer<TopicId> {
    let topic = count_in(transaction, &message.topic, length_max)?;
    let now = now_millis();
    let mut insert = transaction.prepare_cached(
        "INSERT INTO pubsub_message (topic, published_at, expires_at, keep_until, key, content_type, metadata, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    insert.execute((
        topic.0,
        now,
        message.ttl.map(|ttl| millis_after(now, ttl)),
        message.retain.map(|retain| millis_after(now, retain)),
        &message.partition_key,
        &message.content_type,
        encode_metadata(&message.metadata),
        &*message.data,
    ))?;
    Ok(topic)
}

/// Stores many, each refused on its own.
pub(super) fn insert_all(
    transaction: &Transaction<'_>,
    messages: &[OutboundMessage],
    length_max: u32,
) -> Answer<Vec<Result<TopicId, PubSubError>>> {
    let store = |message| match insert(transaction, message, length_max) {
        Ok(topic) => Ok(Ok(topic)),
        Err(JobError::Refused(error)) => Ok(Err(error)),
        Err(JobError::Engine(error)) => Err(JobError::Engine(error)),
    };
    messages.iter().map(store).collect()
}

/// Counts one more message in; makes the topic if there is none.
fn count_in(transaction: &Transaction<'_>, name: &str, length_max: u32) -> Answer<TopicId> {
    let mut count = transaction.prepare_cached(
        "UPDATE pubsub_topic SET stored = stored + 1 WHERE name = ?1 AND stored < ?2 RETURNING id",
    )?;
    let counted = count.query_row((name, length_max), |row| row.get(0).map(TopicId));
    if let Some(topic) = counted.optional()? {
        return Ok(topic);
    }
    let topic = topic(transaction, name)?;
    let mut stored = transaction.prepare_cached("SELECT stored FROM pubsub_topic WHERE id = ?1")?;
    if stored.query_row([topic.0], |row| row.get::<_, i64>(0))? >= i64::from(length_max) {
        return refused(full(transaction, topic, name, length_max)?);
    }
    transaction.execute(
        "UPDATE pubsub_topic SET stored = stored + 1 WHERE id = ?1",
        [topic.0],
    )?;
    Ok(topic)
}

/// The topic of this name, made if there is none.
pub(super) fn topic(transaction: &Transaction<'_>, name: &str) -> Result<TopicId, rusqlite::Error> {
    transaction
        .prepare_cached(
            "INSERT INTO pubsub_topic (name, stored) VALUES (?1, 0) ON CONFLICT (name) DO NOTHING",
        )?
        .execute([name])?;
    transaction
        .prepare_cached("SELECT id FROM pubsub_topic WHERE name = ?1")?
        .query_row([name], |row| row.get(0).map(TopicId))
}

/// Says who holds the messages back.
fn full(
    transaction: &Transaction<'_>,
    topic: TopicId,
    name: &str,
    length_max: u32,
) -> Result<PubSubError, rusqlite::Error> {
    let slowest: Option<String> = transaction
        .query_row(
            "SELECT name FROM pubsub_group WHERE topic = ?1 ORDER BY cursor, id LIMIT 1",
            [topic.0],
            |row| row.get(0),
        )
        .optional()?;
    let reader = match slowest {
        Some(group) => format!("group `{group}` is furthest behind"),
        None => "no group reads it".to_owned(),
    };
    Ok(PubSubError::Unavailable(format!(
        "topic `{name}` is full with {length_max} messages (`maxLength`), {reader}: nothing is published until some \
         are consumed or removed"
    )))
}
