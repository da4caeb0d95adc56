//! The commit of an instance, which is where the time of a workflow goes.

use super::{
    Answer, create, inbox, ownership,
    rows::{Instance, find, signed},
};
use berth_blocks::workflow::{
    Blob, Commit, Created, EventRow, InstanceKey, NewTask, WorkflowStoreError,
};
use rusqlite::{OptionalExtension, Transaction};

/// Applies everything, if the writer owns the instance and has seen its last version.
pub(super) fn commit(transaction: &Transaction<'_>, commit: &Commit) -> Answer<u64> {
    let Some(instance) = write_row(transaction, commit)? else {
        return fenced(transaction, &commit.key, commit.epoch);
    };
    if commit.restart.is_some() {
        for table in ["workflow_event", "workflow_blob", "workflow_task"] {
            remove_of(transaction, table, instance)?;
        }
    }
    add_events(transaction, instance, &commit.events)?;
    add_blobs(transaction, instance, &commit.blobs)?;
    if commit.state.status.is_terminal() {
        remove_of(transaction, "workflow_message", instance)?;
        remove_of(transaction, "workflow_task", instance)?;
    } else {
        inbox::consume(transaction, &commit.consumed)?;
        drop_tasks(transaction, instance, &commit.dropped_tasks)?;
        add_tasks(
            transaction,
            instance,
            commit.key.namespace.as_str(),
            &commit.tasks,
        )?;
    }
    for start in &commit.starts {
        if let Created::Exists(_) = create::create(transaction, &start.instance, &[])? {
            inbox::send(transaction, &commit.key, &start.refused)?;
        }
    }
    for outgoing in &commit.sends {
        inbox::send(transaction, &outgoing.to, &outgoing.message)?;
    }
    // After the messages, since one to itself counts as one that came later.
    if let Some(release) = &commit.release
        && !commit.state.status.is_terminal()
    {
        ownership::release_instance(transaction, instance, release)?;
    }
    Ok(commit.version + 1)
}

/// Writes the row under its guard; `None`: the guard does not hold.
fn write_row(
    transaction: &Transaction<'_>,
    commit: &Commit,
) -> Result<Option<Instance>, rusqlite::Error> {
    let mut statement = transaction.prepare_cached(
        "UPDATE workflow_instance SET status = ?6, version = version + 1, events = iif(?7 IS NULL, events, 0) + ?8, \
         execution = ifnull(?7, execution), waiting_on = ?9, waiting_since = ?10, custom_status = ?11, problem = ?12, \
         outcome = ?13, finished_at = ?14, expires_at = ?15, updated_at = ?16, owner = iif(?17, NULL, owner), \
         ready_at = iif(?17, NULL, ready_at), code = ?18 \
         WHERE namespace = ?1 AND app = ?2 AND key = ?3 AND epoch = ?4 AND version = ?5 AND owner IS NOT NULL \
         RETURNING id",
    )?;
    let state = &commit.state;
    let waiting = state.waiting.as_ref();
    let params = rusqlite::params![
        commit.key.namespace.as_str(),
        commit.key.app.as_str(),
        &*commit.key.id,
        signed(commit.epoch),
        signed(commit.version),
        state.status.name(),
        commit.restart,
        signed(commit.events.len() as u64),
        waiting.map(|waiting| &waiting.on),
        waiting.map(|waiting| waiting.since.0),
        state.custom_status,
        state.problem,
        state.outcome.as_deref(),
        state.finished_at.map(|at| at.0),
        state.expires_at.map(|at| at.0),
        commit.now.0,
        state.status.is_terminal(),
        state.code,
    ];
    let id = statement.query_row(params, |row| row.get(0)).optional()?;
    Ok(id.map(Instance))
}

/// Why a writer was refused.
pub(super) fn fenced<T>(transaction: &Transaction<'_>, key: &InstanceKey, epoch: u64) -> Answer<T> {
    let text = match find(transaction, key)? {
        None => format!("{key} is gone: it was purged"),
        Some(found) => format!(
            "{key} is in epoch {} and version {}, the writer in epoch {epoch}",
            found.row.epoch, found.row.version
        ),
    };
    crate::sqlite::refused(WorkflowStoreError::Fenced(text))
}

pub(super) fn add_events(
    transaction: &Transaction<'_>,
    instance: Instance,
    events: &[EventRow],
) -> Result<(), rusqlite::Error> {
    let mut statement = transaction
        .prepare_cached("INSERT INTO workflow_event (inst, seq, body) VALUES (?1, ?2, ?3)")?;
    for event in events {
        statement.execute((instance.0, signed(event.seq), &event.body[..]))?;
    }
    Ok(())
}

pub(super) fn add_blobs(
    transaction: &Transaction<'_>,
    instance: Instance,
    blobs: &[Blob],
) -> Result<(), rusqlite::Error> {
    for blob in blobs {
        let mut statement = transaction.prepare_cached(
            "INSERT OR IGNORE INTO workflow_blob (inst, digest, bytes) VALUES (?1, ?2, ?3)",
        )?;
        statement.execute((instance.0, &blob.digest, &blob.bytes[..]))?;
    }
    Ok(())
}

/// A task in the place of another has no claim, and its own age.
pub(super) fn add_tasks(
    transaction: &Transaction<'_>,
    instance: Instance,
    namespace: &str,
    tasks: &[NewTask],
) -> Result<(), rusqlite::Error> {
    for task in tasks {
        let mut statement = transaction.prepare_cached(
            "INSERT OR REPLACE INTO workflow_task \
             (inst, operation, namespace, app, visible_at, claim, deliveries, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6)",
        )?;
        statement.execute((
            instance.0,
            signed(task.operation),
            namespace,
            task.app.as_str(),
            task.visible_at.0,
            &task.body[..],
        ))?;
    }
    Ok(())
}

fn drop_tasks(
    transaction: &Transaction<'_>,
    instance: Instance,
    operations: &[u64],
) -> Result<(), rusqlite::Error> {
    for operation in operations {
        let mut statement = transaction
            .prepare_cached("DELETE FROM workflow_task WHERE inst = ?1 AND operation = ?2")?;
        statement.execute((instance.0, signed(*operation)))?;
    }
    Ok(())
}

/// Removes an instance's rows from one of the other tables.
pub(super) fn remove_of(
    transaction: &Transaction<'_>,
    table: &'static str,
    instance: Instance,
) -> Result<(), rusqlite::Error> {
    let sql = format!("DELETE FROM {table} WHERE inst = ?1");
    transaction.prepare_cached(&sql)?.execute([instance.0])?;
    Ok(())
}
