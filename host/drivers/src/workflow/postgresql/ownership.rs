//! Hosts, their leases, and what they own.

use super::{
    Answer, Tables,
    commit::fenced,
    rows::{
        COLUMNS, IS_KEY, app_list, count, field, instance, key_and, name, number, parts, signed,
    },
};
use crate::postgresql::{Database, Statement};
use berth_blocks::workflow::{
    ClaimRequest, Claimed, Claims, InstanceKey, Release, Status, Timestamp,
};
use berth_resources::{AppId, Namespace};
use tokio_postgres::types::Type;

/// Hosts that own nothing are forgotten when their lease has ended as long ago.
const FORGET_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;

/// The statements.
#[derive(Debug)]
pub(super) struct Ownership {
    renew: Statement,
    leave: Statement,
    forget: Statement,
    clock: Statement,
    claim: Statement,
    next_ready_at: Statement,
    owned: Statement,
    lock_owned: Statement,
    release: Statement,
    pub(super) release_id: Statement,
    wake_stalled: Statement,
}

impl Ownership {
    pub(super) fn new(tables: &Tables) -> Self {
        let Tables { host, instance, .. } = tables;
        let is_owned = format!("{IS_KEY} AND i.epoch = $4 AND i.owner IS NOT NULL");
        Self {
            renew: Statement::new(
                format!(
                    "INSERT INTO {host} (name, until) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET until = $2"
                ),
                &[Type::TEXT, Type::INT8],
            ),
            leave: Statement::new(
                format!("UPDATE {host} SET until = 0 WHERE name = $1"),
                &[Type::TEXT],
            ),
            forget: Statement::new(
                format!(
                    "DELETE FROM {host} h WHERE h.until <= $1 \
                     AND NOT EXISTS (SELECT 1 FROM {instance} i WHERE i.owner = h.name)"
                ),
                &[Type::INT8],
            ),
            clock: Statement::new(
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint".to_owned(),
                &[],
            ),
            claim: Statement::new(
                claim(tables),
                &[Type::INT8, Type::TEXT_ARRAY, Type::INT8, Type::TEXT],
            ),
            next_ready_at: Statement::new(
                format!(
                    "SELECT ready_at FROM {instance} WHERE owner IS NULL AND ready_at > $1 \
                     AND namespace || '/' || app = ANY ($2) ORDER BY ready_at LIMIT 1"
                ),
                &[Type::INT8, Type::TEXT_ARRAY],
            ),
            owned: Statement::new(
                format!(
                    "SELECT namespace, app, key, epoch FROM {instance} WHERE owner = $1 \
                     ORDER BY namespace COLLATE \"C\", app COLLATE \"C\", key COLLATE \"C\""
                ),
                &[Type::TEXT],
            ),
            lock_owned: Statement::new(
                format!("SELECT i.id FROM {instance} i WHERE {is_owned} FOR UPDATE"),
                &key_and(&[Type::INT8]),
            ),
            release: Statement::new(
                format!(
                    "UPDATE {instance} i SET owner = NULL, ready_at = {} WHERE {is_owned} RETURNING i.id",
                    ready_at(tables, 5)
                ),
                &key_and(&[Type::INT8, Type::INT8, Type::INT8, Type::INT8]),
            ),
            release_id: Statement::new(
                format!(
                    "UPDATE {instance} i SET owner = NULL, ready_at = {} WHERE i.id = $1",
                    ready_at(tables, 2)
                ),
                &[Type::INT8, Type::INT8, Type::INT8, Type::INT8],
            ),
            wake_stalled: Statement::new(
                format!(
                    "UPDATE {instance} SET ready_at = $3 \
                     WHERE namespace = $1 AND app = $2 AND status = '{}' AND owner IS NULL",
                    Status::Stalled.name()
                ),
                &[Type::TEXT, Type::TEXT, Type::INT8],
            ),
        }
    }

    /// Makes a host known. Leases are compared by the clocks of hosts, so one that is wrong is worth a warning.
    pub(super) async fn join(
        &self,
        database: &Database,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Answer<()> {
        let forgotten = now.0.saturating_sub(FORGET_AFTER_MS);
        database.execute(&self.forget, &[&forgotten]).await?;
        self.renew(database, owner, until).await?;
        let rows = database.rows(&self.clock, &[]).await?;
        if let Some(row) = rows.first() {
            let apart = now
                .until(Timestamp(field(row, 0)?))
                .max(Timestamp(field(row, 0)?).until(now));
            if apart > CLOCKS_APART {
                tracing::warn!(
                    server = database.location(),
                    "the clocks of this host and of the server are {apart:?} apart: if hosts differ as much, they take \
                     each other for dead; synchronise them"
                );
            }
        }
        Ok(())
    }

    pub(super) async fn renew(
        &self,
        database: &Database,
        owner: &str,
        until: Timestamp,
    ) -> Answer<()> {
        database.execute(&self.renew, &[&owner, &until.0]).await?;
        Ok(())
    }

    pub(super) async fn leave(&self, database: &Database, owner: &str) -> Answer<()> {
        database.execute(&self.leave, &[&owner]).await?;
        Ok(())
    }

    /// One statement takes the instances; nobody waits for rows that another host is taking.
    pub(super) async fn claim(
        &self,
        database: &Database,
        request: &ClaimRequest,
    ) -> Answer<Claims> {
        let (now, apps) = (request.now, app_list(&request.apps));
        let limit = count(request.limit);
        let rows = database
            .rows(&self.claim, &[&now.0, &apps, &limit, &request.owner])
            .await?;
        let mut claimed = Vec::with_capacity(rows.len());
        let mut more = false;
        for row in &rows {
            more |= field::<i64>(row, 26)? > limit;
            let order: (i64, i64) = (field(row, 25)?, field(row, 0)?);
            let taken_over = field(row, 24)?;
            let row = instance(row)?;
            claimed.push((order, Claimed { row, taken_over }));
        }
        claimed.sort_by_key(|(order, _)| *order);
        let next_ready_at = match more {
            true => Some(now),
            false => {
                let rows = database.rows(&self.next_ready_at, &[&now.0, &apps]).await?;
                let at = rows.first().map(|row| field(row, 0)).transpose()?;
                at.map(Timestamp)
            }
        };
        Ok(Claims {
            claimed: claimed.into_iter().map(|(_, claimed)| claimed).collect(),
            next_ready_at,
        })
    }

    pub(super) async fn owned(
        &self,
        database: &Database,
        owner: &str,
    ) -> Answer<Vec<(InstanceKey, u64)>> {
        let rows = database.rows(&self.owned, &[&owner]).await?;
        rows.iter()
            .map(|row| {
                let key = InstanceKey::new(name(row, 0)?, name(row, 1)?, field(row, 2)?);
                Ok((key, number(row, 3)?))
            })
            .collect()
    }

    /// Gives an instance up that is owned in this epoch. The row is locked before the inbox is looked at, so that no
    /// message comes in between.
    pub(super) async fn release(
        &self,
        database: &Database,
        reads: &super::rows::Reads,
        key: &InstanceKey,
        epoch: u64,
        release: &Release,
    ) -> Answer<()> {
        let (namespace, app, id) = parts(key);
        let (owned_in, ready_at) = (signed(epoch), release.ready_at.map(|at| at.0));
        let rows = database
            .transact_rows(&[
                (&self.lock_owned, &[&namespace, &app, &id, &owned_in]),
                (
                    &self.release,
                    &[
                        &namespace,
                        &app,
                        &id,
                        &owned_in,
                        &release.seen.0,
                        &release.now.0,
                        &ready_at,
                    ],
                ),
            ])
            .await?;
        if rows.last().is_none_or(Vec::is_empty) {
            return fenced(key, reads.get(database, key).await?, epoch);
        }
        Ok(())
    }

    pub(super) async fn wake_stalled(
        &self,
        database: &Database,
        namespace: &Namespace,
        app: &AppId,
        now: Timestamp,
    ) -> Answer<usize> {
        let woken = database
            .execute(
                &self.wake_stalled,
                &[&namespace.as_str(), &app.as_str(), &now.0],
            )
            .await?;
        Ok(usize::try_from(woken).unwrap_or(usize::MAX))
    }
}

/// Clocks that are further apart are worth a warning.
const CLOCKS_APART: std::time::Duration = std::time::Duration::from_secs(2);

/// When an instance that is given up is ready: at once, if a message came that the owner has not seen. From parameter
/// `first` on: the last message that was seen, the owner's clock, the time that it names.
fn ready_at(tables: &Tables, first: usize) -> String {
    let message = &tables.message;
    let (seen, now, at) = (first, first + 1, first + 2);
    format!(
        "CASE WHEN EXISTS (SELECT 1 FROM {message} m WHERE m.inst = i.id AND m.number > ${seen} AND m.body IS NOT NULL) \
         THEN ${now} ELSE ${at} END"
    )
}

/// Takes instances that are ready, and those of hosts whose lease has ended; each arm by its own index.
fn claim(tables: &Tables) -> String {
    let Tables { host, instance, .. } = tables;
    let served = "i.namespace || '/' || i.app = ANY ($2)";
    format!(
        "WITH ready AS MATERIALIZED (
            SELECT i.id, false AS taken_over, i.ready_at AS since FROM {instance} i
            WHERE i.owner IS NULL AND i.ready_at <= $1 AND {served}
            ORDER BY i.ready_at, i.id LIMIT $3 + 1 FOR UPDATE SKIP LOCKED
         ), orphaned AS MATERIALIZED (
            SELECT i.id, true AS taken_over, coalesce(i.ready_at, $1) AS since FROM {instance} i
            WHERE i.owner IN (SELECT name FROM {host} WHERE until <= $1) AND {served}
            ORDER BY since, i.id LIMIT $3 + 1 FOR UPDATE OF i SKIP LOCKED
         ), both_kinds AS (
            SELECT * FROM ready UNION ALL SELECT * FROM orphaned
         ), taken AS MATERIALIZED (
            SELECT *, count(*) OVER () AS found FROM both_kinds ORDER BY since, id LIMIT $3
         )
         UPDATE {instance} i SET owner = $4, epoch = i.epoch + 1 FROM taken WHERE i.id = taken.id
         RETURNING {COLUMNS}, taken.taken_over, taken.since, taken.found"
    )
}
