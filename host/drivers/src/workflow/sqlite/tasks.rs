//! The queue of activities.

use super::{
    Answer, inbox,
    rows::{name, number, signed},
};
use berth_blocks::workflow::{ClaimedTask, InstanceKey, Message, TaskId, Timestamp};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Transaction};

/// Tasks that may be claimed.
const CLAIMABLE: &str = "FROM workflow_task t WHERE t.visible_at <= ?1 \
     AND t.namespace || '/' || t.app IN (SELECT value FROM json_each(?2))";

pub(super) fn is_ready(connection: &Connection, apps: &str, now: Timestamp) -> Answer<bool> {
    let sql = format!("SELECT EXISTS (SELECT 1 {CLAIMABLE})");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row((now.0, apps), |row| row.get(0))?)
}

/// Takes tasks, oldest first; their claims have the numbers from `first_claim` on.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    apps: &str,
    now: Timestamp,
    until: Timestamp,
    limit: usize,
    first_claim: u64,
) -> Answer<Vec<ClaimedTask>> {
    let sql = format!("SELECT t.id {CLAIMABLE} ORDER BY t.id LIMIT ?3");
    let mut statement = transaction.prepare_cached(&sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let ids = statement.query_map((now.0, apps, limit), |row| row.get(0))?;
    let ids = ids.collect::<Result<Vec<i64>, _>>()?;
    let mut tasks = Vec::with_capacity(ids.len());
    for (id, claim) in ids.into_iter().zip(first_claim..) {
        tasks.push(take(transaction, id, claim, until)?);
    }
    Ok(tasks)
}

fn take(
    transaction: &Transaction<'_>,
    id: i64,
    claim: u64,
    until: Timestamp,
) -> Result<ClaimedTask, rusqlite::Error> {
    let mut statement = transaction.prepare_cached(
        "UPDATE workflow_task SET claim = ?2, deliveries = deliveries + 1, visible_at = ?3 WHERE id = ?1",
    )?;
    statement.execute((id, signed(claim), until.0))?;
    let mut statement = transaction.prepare_cached(
        "SELECT i.namespace, i.app, i.key, t.operation, t.app, t.deliveries, t.body \
         FROM workflow_task t JOIN workflow_instance i ON i.id = t.inst WHERE t.id = ?1",
    )?;
    statement.query_row([id], |row| {
        let key = InstanceKey::new(name(row, 0)?, name(row, 1)?, &row.get::<_, String>(2)?);
        Ok(ClaimedTask {
            id: TaskId {
                key,
                operation: number(row, 3)?,
                claim,
            },
            app: name(row, 4)?,
            deliveries: row.get(5)?,
            body: Bytes::from(row.get::<_, Vec<u8>>(6)?),
        })
    })
}

/// The row of a task that is still held by this claim.
fn held(connection: &Connection, task: &TaskId) -> Result<Option<i64>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(
        "SELECT t.id FROM workflow_task t JOIN workflow_instance i ON i.id = t.inst \
         WHERE i.namespace = ?1 AND i.app = ?2 AND i.key = ?3 AND t.operation = ?4 AND t.claim = ?5",
    )?;
    let key = &task.key;
    let params = (
        key.namespace.as_str(),
        key.app.as_str(),
        &*key.id,
        signed(task.operation),
        signed(task.claim),
    );
    statement.query_row(params, |row| row.get(0)).optional()
}

/// Gives those that are no longer held.
pub(super) fn renew(
    transaction: &Transaction<'_>,
    tasks: Vec<TaskId>,
    until: Timestamp,
) -> Answer<Vec<TaskId>> {
    let mut lost = Vec::new();
    for task in tasks {
        match held(transaction, &task)? {
            Some(id) => {
                let mut statement = transaction
                    .prepare_cached("UPDATE workflow_task SET visible_at = ?2 WHERE id = ?1")?;
                statement.execute((id, until.0))?;
            }
            None => lost.push(task),
        }
    }
    Ok(lost)
}

/// Removes a task that is still held, and sends its result.
pub(super) fn finish(
    transaction: &Transaction<'_>,
    task: &TaskId,
    result: &Message,
) -> Answer<bool> {
    let Some(id) = held(transaction, task)? else {
        return Ok(false);
    };
    transaction
        .prepare_cached("DELETE FROM workflow_task WHERE id = ?1")?
        .execute([id])?;
    inbox::send(transaction, &task.key, result)?;
    Ok(true)
}
