//! Hosts, their leases, and what they own.

use super::{
    Answer,
    commit::fenced,
    rows::{COLUMNS, Instance, app_list, found, name, number, signed},
};
use berth_blocks::workflow::{
    ClaimRequest, Claimed, Claims, InstanceKey, Release, Status, Timestamp, WorkflowStoreError,
};
use berth_resources::{AppId, Namespace};
use rusqlite::{Connection, OptionalExtension, Transaction};

/// The number of a host that has joined.
pub(super) fn host(connection: &Connection, name: &str) -> Answer<i64> {
    let mut statement =
        connection.prepare_cached("SELECT id FROM workflow_host WHERE name = ?1")?;
    let id = statement.query_row([name], |row| row.get(0)).optional()?;
    match id {
        Some(id) => Ok(id),
        None => crate::sqlite::refused(WorkflowStoreError::NotAllowed(format!(
            "host \"{name}\" has not joined"
        ))),
    }
}

/// Ends the leases of runs that are over, and forgets hosts that own nothing.
pub(super) fn end_runs(
    transaction: &Transaction<'_>,
    over_before: i64,
    now: Timestamp,
) -> Answer<()> {
    transaction.execute(
        "UPDATE workflow_host SET until = 0 WHERE run < ?1",
        [over_before],
    )?;
    transaction.execute(
        "DELETE FROM workflow_host WHERE until <= ?1 AND id NOT IN \
         (SELECT owner FROM workflow_instance WHERE owner IS NOT NULL)",
        [now.0],
    )?;
    Ok(())
}

pub(super) fn renew(
    transaction: &Transaction<'_>,
    owner: &str,
    run: i64,
    until: Timestamp,
) -> Answer<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO workflow_host (name, run, until) VALUES (?1, ?2, ?3) \
         ON CONFLICT (name) DO UPDATE SET until = ?3",
    )?;
    statement.execute((owner, run, until.0))?;
    Ok(())
}

pub(super) fn leave(transaction: &Transaction<'_>, owner: &str) -> Answer<()> {
    transaction.execute(
        "UPDATE workflow_host SET until = 0 WHERE name = ?1",
        [owner],
    )?;
    Ok(())
}

/// Whether there is something to claim.
pub(super) struct Look {
    pub(super) is_ready: bool,
    pub(super) next_ready_at: Option<Timestamp>,
}

/// Instances that may be claimed: those that are ready, and those of hosts whose lease has ended.
const CLAIMABLE: &str = "\
    SELECT id, ready_at FROM workflow_instance WHERE owner IS NULL AND ready_at <= ?1 \
        AND namespace || '/' || app IN (SELECT value FROM json_each(?2)) \
    UNION ALL \
    SELECT id, ready_at FROM workflow_instance WHERE owner IN (SELECT id FROM workflow_host WHERE until <= ?1) \
        AND namespace || '/' || app IN (SELECT value FROM json_each(?2))";

pub(super) fn look(connection: &Connection, request: &ClaimRequest) -> Answer<Look> {
    let apps = app_list(&request.apps);
    let sql = format!("SELECT EXISTS ({CLAIMABLE})");
    let mut statement = connection.prepare_cached(&sql)?;
    let is_ready = statement.query_row((request.now.0, &apps), |row| row.get(0))?;
    Ok(Look {
        is_ready,
        next_ready_at: next_ready_at(connection, &apps, request.now)?,
    })
}

fn next_ready_at(
    connection: &Connection,
    apps: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(
        "SELECT ready_at FROM workflow_instance WHERE owner IS NULL AND ready_at > ?1 \
         AND namespace || '/' || app IN (SELECT value FROM json_each(?2)) ORDER BY ready_at LIMIT 1",
    )?;
    let at = statement
        .query_row((now.0, apps), |row| row.get(0))
        .optional()?;
    Ok(at.map(Timestamp))
}

/// Takes instances over, each with a new epoch.
pub(super) fn claim(transaction: &Transaction<'_>, request: &ClaimRequest) -> Answer<Claims> {
    let owner = host(transaction, &request.owner)?;
    let apps = app_list(&request.apps);
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX - 1);
    let sql = format!("{CLAIMABLE} ORDER BY ready_at, id LIMIT ?3");
    let mut statement = transaction.prepare_cached(&sql)?;
    let ids = statement.query_map((request.now.0, &apps, limit + 1), |row| row.get(0))?;
    let mut ids = ids.collect::<Result<Vec<i64>, _>>()?;
    let more = ids.len() > request.limit;
    ids.truncate(request.limit);
    let mut claimed = Vec::with_capacity(ids.len());
    for id in ids {
        claimed.push(take(transaction, Instance(id), owner)?);
    }
    let next_ready_at = match more {
        true => Some(request.now),
        false => next_ready_at(transaction, &apps, request.now)?,
    };
    Ok(Claims {
        claimed,
        next_ready_at,
    })
}

fn take(
    transaction: &Transaction<'_>,
    instance: Instance,
    owner: i64,
) -> Result<Claimed, rusqlite::Error> {
    let mut statement = transaction
        .prepare_cached("SELECT owner IS NOT NULL FROM workflow_instance WHERE id = ?1")?;
    let taken_over = statement.query_row([instance.0], |row| row.get(0))?;
    let mut statement = transaction.prepare_cached(
        "UPDATE workflow_instance SET owner = ?2, epoch = epoch + 1 WHERE id = ?1",
    )?;
    statement.execute((instance.0, owner))?;
    let sql = format!("SELECT {COLUMNS} WHERE i.id = ?1");
    let row = transaction
        .prepare_cached(&sql)?
        .query_row([instance.0], found)?
        .row;
    Ok(Claimed { row, taken_over })
}

/// What a host owns, with the epochs.
pub(super) fn owned(connection: &Connection, owner: &str) -> Answer<Vec<(InstanceKey, u64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT namespace, app, key, epoch FROM workflow_instance \
         WHERE owner = (SELECT id FROM workflow_host WHERE name = ?1) ORDER BY namespace, app, key",
    )?;
    let owned = statement.query_map([owner], |row| {
        let key = InstanceKey::new(name(row, 0)?, name(row, 1)?, &row.get::<_, String>(2)?);
        Ok((key, number(row, 3)?))
    })?;
    Ok(owned.collect::<Result<_, _>>()?)
}

/// Gives an instance up that is owned in this epoch.
pub(super) fn release(
    transaction: &Transaction<'_>,
    key: &InstanceKey,
    epoch: u64,
    release: &Release,
) -> Answer<()> {
    let mut statement = transaction.prepare_cached(
        "SELECT id FROM workflow_instance \
         WHERE namespace = ?1 AND app = ?2 AND key = ?3 AND epoch = ?4 AND owner IS NOT NULL",
    )?;
    let params = (
        key.namespace.as_str(),
        key.app.as_str(),
        &*key.id,
        signed(epoch),
    );
    let id = statement.query_row(params, |row| row.get(0)).optional()?;
    match id {
        Some(id) => Ok(release_instance(transaction, Instance(id), release)?),
        None => fenced(transaction, key, epoch),
    }
}

/// Ready at once, if a message came that the owner has not seen.
pub(super) fn release_instance(
    transaction: &Transaction<'_>,
    instance: Instance,
    release: &Release,
) -> Result<(), rusqlite::Error> {
    let mut statement = transaction.prepare_cached(
        "UPDATE workflow_instance SET owner = NULL, ready_at = iif(EXISTS \
         (SELECT 1 FROM workflow_message WHERE inst = ?1 AND id > ?2 AND body IS NOT NULL), ?3, ?4) WHERE id = ?1",
    )?;
    let ready_at = release.ready_at.map(|at| at.0);
    statement.execute((instance.0, release.seen.0, release.now.0, ready_at))?;
    Ok(())
}

/// Stalled instances of an app that nobody owns.
pub(super) fn wake_stalled(
    transaction: &Transaction<'_>,
    namespace: &Namespace,
    app: &AppId,
    now: Timestamp,
) -> Answer<usize> {
    let mut statement = transaction.prepare_cached(
        "UPDATE workflow_instance SET ready_at = ?3 \
         WHERE namespace = ?1 AND app = ?2 AND status = 'STALLED' AND owner IS NULL",
    )?;
    debug_assert_eq!(Status::Stalled.name(), "STALLED");
    Ok(statement.execute((namespace.as_str(), app.as_str(), now.0))?)
}
