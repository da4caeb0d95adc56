//! Messages.

use super::{Answer, rows::instance};
use berth_blocks::workflow::{
    InstanceKey, Message, MessageId, Sent, Status, StoredMessage, Timestamp,
};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Transaction};

/// Puts a message into an inbox, and makes an instance that nobody owns ready.
pub(super) fn send(
    transaction: &Transaction<'_>,
    to: &InstanceKey,
    message: &Message,
) -> Result<Sent, rusqlite::Error> {
    let mut statement = transaction.prepare_cached(
        "SELECT id, status FROM workflow_instance WHERE namespace = ?1 AND app = ?2 AND key = ?3",
    )?;
    let found: Option<(i64, String)> = statement
        .query_row((to.namespace.as_str(), to.app.as_str(), &*to.id), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((instance, status)) = found else {
        return Ok(Sent::NotFound);
    };
    if Status::named(&status).is_some_and(Status::is_terminal) {
        return Ok(Sent::Finished);
    }
    let mut statement = transaction.prepare_cached(
        "INSERT OR IGNORE INTO workflow_message (inst, dedup, at, body) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let added = statement.execute((instance, &message.dedup, message.at.0, &message.body[..]))?;
    if added == 0 {
        return Ok(Sent::Duplicate);
    }
    let mut statement = transaction.prepare_cached(
        "UPDATE workflow_instance SET ready_at = min(ifnull(ready_at, ?2), ?2) WHERE id = ?1 AND owner IS NULL",
    )?;
    statement.execute((instance, message.at.0))?;
    Ok(Sent::Accepted)
}

/// Messages that were not consumed.
pub(super) fn read(
    connection: &Connection,
    key: &InstanceKey,
    after: MessageId,
    limit: usize,
) -> Answer<Vec<StoredMessage>> {
    let instance = instance(connection, key)?;
    let mut statement = connection.prepare_cached(
        "SELECT id, body, at FROM workflow_message WHERE inst = ?1 AND id > ?2 AND body IS NOT NULL ORDER BY id LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let messages = statement.query_map((instance.0, after.0, limit), |row| {
        Ok(StoredMessage {
            id: MessageId(row.get(0)?),
            body: Bytes::from(row.get::<_, Vec<u8>>(1)?),
            at: Timestamp(row.get(2)?),
        })
    })?;
    Ok(messages.collect::<Result<_, _>>()?)
}

/// Those with an ID stay, without their body.
pub(super) fn consume(
    transaction: &Transaction<'_>,
    consumed: &[MessageId],
) -> Result<(), rusqlite::Error> {
    for message in consumed {
        let mut statement = transaction
            .prepare_cached("DELETE FROM workflow_message WHERE id = ?1 AND dedup IS NULL")?;
        if statement.execute([message.0])? == 0 {
            let mut statement = transaction
                .prepare_cached("UPDATE workflow_message SET body = NULL WHERE id = ?1")?;
            statement.execute([message.0])?;
        }
    }
    Ok(())
}
