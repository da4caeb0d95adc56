//! Removing instances with everything that belongs to them.

use super::{
    Answer,
    commit::remove_of,
    rows::{Instance, find},
};
use berth_blocks::workflow::{InstanceKey, Timestamp, WorkflowStoreError};
use rusqlite::{Connection, Transaction};

pub(super) fn purge(transaction: &Transaction<'_>, key: &InstanceKey, force: bool) -> Answer<bool> {
    let Some(found) = find(transaction, key)? else {
        return Ok(false);
    };
    let status = found.row.state.status;
    if !force && !status.is_terminal() {
        return crate::sqlite::refused(WorkflowStoreError::NotAllowed(format!(
            "{key} is {status}: only an instance that has ended can be purged"
        )));
    }
    remove(transaction, found.instance)?;
    Ok(true)
}

/// Removes an instance, whatever it is doing.
pub(super) fn remove(
    transaction: &Transaction<'_>,
    instance: Instance,
) -> Result<(), rusqlite::Error> {
    for table in [
        "workflow_event",
        "workflow_message",
        "workflow_blob",
        "workflow_task",
    ] {
        remove_of(transaction, table, instance)?;
    }
    let mut statement =
        transaction.prepare_cached("DELETE FROM workflow_instance WHERE id = ?1")?;
    statement.execute([instance.0])?;
    Ok(())
}

/// Instances whose retention has ended.
pub(super) fn expired(connection: &Connection, now: Timestamp, limit: usize) -> Answer<Vec<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM workflow_instance WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let ids = statement.query_map((now.0, limit), |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Removes those that still are expired.
pub(super) fn purge_all(
    transaction: &Transaction<'_>,
    ids: &[i64],
    now: Timestamp,
) -> Answer<usize> {
    let mut purged = 0;
    for id in ids {
        let mut statement = transaction.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM workflow_instance WHERE id = ?1 AND expires_at <= ?2)",
        )?;
        if statement.query_row((id, now.0), |row| row.get(0))? {
            remove(transaction, Instance(*id))?;
            purged += 1;
        }
    }
    Ok(purged)
}
