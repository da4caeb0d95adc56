//! New instances.

use super::{
    Answer, commit,
    ownership::host,
    purge,
    rows::{Instance, find, signed},
};
use berth_blocks::workflow::{Created, NewInstance, Status, WorkflowStoreError};
use rusqlite::Transaction;

/// Creates an instance, in the place of one that may be replaced. Both happen in one transaction, so that of many
/// creations one wins.
pub(super) fn create(
    transaction: &Transaction<'_>,
    new: &NewInstance,
    replaces: &[Status],
) -> Answer<Created> {
    let before = find(transaction, &new.key)?;
    let owned = u64::from(new.owner.is_some());
    let (version, epoch) = match before {
        None => (1, owned),
        Some(found) if replaces.contains(&found.row.state.status) => {
            purge::remove(transaction, found.instance)?;
            (found.row.version + 1, found.row.epoch + 1)
        }
        Some(found) => return Ok(Created::Exists(found.row)),
    };
    let owner = match &new.owner {
        Some(owner) => Some(host(transaction, owner)?),
        None => None,
    };
    let mut statement = transaction.prepare_cached(
        "INSERT INTO workflow_instance (namespace, app, key, execution, workflow, parent_app, parent_key, status, version, \
         epoch, events, owner, ready_at, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'PENDING', ?8, ?9, ?10, ?11, ?12, ?13, ?13)",
    )?;
    let parent = new.parent.as_ref();
    statement.execute(rusqlite::params![
        new.key.namespace.as_str(),
        new.key.app.as_str(),
        &*new.key.id,
        new.execution,
        new.workflow,
        parent.map(|parent| parent.app.as_str()),
        parent.map(|parent| &*parent.id),
        signed(version),
        signed(epoch),
        signed(new.events.len() as u64),
        owner,
        new.ready_at.0,
        new.created_at.0,
    ])?;
    let instance = Instance(transaction.last_insert_rowid());
    commit::add_events(transaction, instance, &new.events)?;
    commit::add_blobs(transaction, instance, &new.blobs)?;
    commit::add_tasks(
        transaction,
        instance,
        new.key.namespace.as_str(),
        &new.tasks,
    )?;
    match find(transaction, &new.key)? {
        Some(found) => Ok(Created::New(found.row)),
        None => crate::sqlite::refused(WorkflowStoreError::Other(format!(
            "{} is not there after its creation",
            new.key
        ))),
    }
}
