//! Looking into topics, for people.

use super::tables::{Answer, MessageId, decode_metadata, now_millis, time_of};
use berth_blocks::pubsub::{PubSubError, StoredMessage, TopicDepth};
use rusqlite::{Connection, Row};

/// Reads the identifier that browsing and receiving give.
pub(super) fn id(text: &str) -> Result<MessageId, PubSubError> {
    text.parse().map(MessageId).map_err(|_| {
        PubSubError::Invalid(format!(
            "`{text}` is not a message of pubsub.sqlite: expected a number"
        ))
    })
}

/// Messages at rest, oldest first.
pub(super) fn browse(
    connection: &Connection,
    topic: &str,
    after: Option<MessageId>,
    limit: u32,
) -> Answer<Vec<StoredMessage>> {
    let mut stored = connection.prepare_cached(
        "SELECT id, data, content_type, metadata, published_at FROM pubsub_message
         WHERE topic = (SELECT id FROM pubsub_topic WHERE name = ?1) AND id > ?2
         AND (expires_at IS NULL OR expires_at > ?3) ORDER BY id LIMIT ?4",
    )?;
    let after = after.map_or(0, |after| after.0);
    let rows = stored.query_map((topic, after, now_millis(), limit), stored_message)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn stored_message(row: &Row<'_>) -> Result<StoredMessage, rusqlite::Error> {
    Ok(StoredMessage {
        id: row.get::<_, i64>(0)?.to_string(),
        data: row.get::<_, Vec<u8>>(1)?.into(),
        content_type: Some(row.get(2)?),
        metadata: decode_metadata(row.get_ref(3)?.as_str_or_null()?),
        published_at: time_of(row.get(4)?),
    })
}

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or(0)
}

/// What waits and what is leased, per topic and group.
pub(super) fn depths(connection: &Connection) -> Answer<Vec<TopicDepth>> {
    let mut depths = connection.prepare_cached(
        "SELECT t.name, g.name,
            CASE WHEN g.id IS NULL THEN t.stored ELSE
                (SELECT count(*) FROM pubsub_message m WHERE m.topic = t.id AND m.id > g.cursor)
                + (SELECT count(*) FROM pubsub_pending p WHERE p.grp = g.id) END,
            (SELECT count(*) FROM pubsub_pending p
                WHERE p.grp = g.id AND p.owner IS NOT NULL AND p.visible_at > ?1)
         FROM pubsub_topic t LEFT JOIN pubsub_group g ON g.topic = t.id
         WHERE g.id IS NOT NULL OR t.stored > 0 ORDER BY t.name, g.name",
    )?;
    let rows = depths.query_map([now_millis()], |row| {
        let (unsettled, in_flight): (i64, i64) = (row.get(2)?, row.get(3)?);
        Ok(TopicDepth {
            topic: row.get(0)?,
            group: row.get(1)?,
            waiting: count(unsettled - in_flight),
            in_flight: count(in_flight),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
