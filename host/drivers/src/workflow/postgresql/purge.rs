//! Removing instances with everything that belongs to them. Their rows are locked first: whoever adds something to an
//! instance holds that lock, too, so that nothing is left behind.

use super::{
    Answer, Tables,
    rows::{COLUMNS, IS_KEY, KEY, count, field, instance, parts},
};
use crate::postgresql::{Database, Statement, Step};
use berth_blocks::workflow::{InstanceKey, Timestamp, WorkflowStoreError};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

/// The statements.
#[derive(Debug)]
pub(super) struct Purges {
    /// Locks an instance: [`COLUMNS`], and what [`Found`] reads.
    pub(super) lock: Statement,
    lock_expired: Statement,
    /// What belongs to some instances, then their rows.
    remove: [Statement; 5],
    /// The history and what hangs on it.
    forget: [Statement; 3],
}

/// A locked instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) id: i64,
    /// Number of its last message.
    pub(super) messages: i64,
}

impl Found {
    pub(super) fn of(row: &Row) -> Answer<Self> {
        Ok(Self {
            id: field(row, 0)?,
            // After the columns of an instance.
            messages: field(row, 24)?,
        })
    }
}

impl Purges {
    pub(super) fn new(tables: &Tables) -> Self {
        let Tables {
            instance,
            event,
            message,
            blob,
            task,
            ..
        } = tables;
        let of = |table: &str| format!("DELETE FROM {table} WHERE inst = ANY ($1)");
        let all = |text: String| Statement::new(text, &[Type::INT8_ARRAY]);
        Self {
            lock: Statement::new(
                format!("SELECT {COLUMNS}, i.messages FROM {instance} i WHERE {IS_KEY} FOR UPDATE"),
                &KEY,
            ),
            lock_expired: Statement::new(
                format!(
                    "SELECT id FROM {instance} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 \
                     FOR UPDATE SKIP LOCKED"
                ),
                &[Type::INT8, Type::INT8],
            ),
            remove: [
                all(of(event)),
                all(of(message)),
                all(of(blob)),
                all(of(task)),
                all(format!("DELETE FROM {instance} WHERE id = ANY ($1)")),
            ],
            forget: [all(of(event)), all(of(blob)), all(of(task))],
        }
    }

    /// Removes instances, whatever they are doing; the parameter is a list of their numbers.
    pub(super) fn remove<'s>(
        &'s self,
        ids: &'s [&'s (dyn ToSql + Sync)],
    ) -> impl Iterator<Item = Step<'s>> {
        self.remove.iter().map(move |statement| (statement, ids))
    }

    /// Removes histories, with blobs and tasks.
    pub(super) fn forget<'s>(
        &'s self,
        ids: &'s [&'s (dyn ToSql + Sync)],
    ) -> impl Iterator<Item = Step<'s>> {
        self.forget.iter().map(move |statement| (statement, ids))
    }

    pub(super) async fn purge(
        &self,
        database: &Database,
        key: &InstanceKey,
        force: bool,
    ) -> Answer<bool> {
        let purge = async {
            let connection = database.exclusive().await?;
            let (namespace, app, id) = parts(key);
            let rows = connection
                .begin_and_query(&[(&self.lock, &[&namespace, &app, &id])])
                .await?;
            let Some(row) = rows.first().and_then(|rows| rows.first()) else {
                connection.commit().await?;
                return Ok(false);
            };
            let (found, status) = (Found::of(row)?, instance(row)?.state.status);
            if !force && !status.is_terminal() {
                return Err(WorkflowStoreError::NotAllowed(format!(
                    "{key} is {status}: only an instance that has ended can be purged"
                )));
            }
            let ids = vec![found.id];
            let ids: [&(dyn ToSql + Sync); 1] = [&ids];
            let steps: Vec<_> = self.remove(&ids).collect();
            connection.query_and_commit(&steps).await?;
            Ok(true)
        };
        database.in_time(purge).await
    }

    pub(super) async fn purge_expired(
        &self,
        database: &Database,
        now: Timestamp,
        limit: usize,
    ) -> Answer<usize> {
        let purge = async {
            let connection = database.exclusive().await?;
            let rows = connection
                .begin_and_query(&[(&self.lock_expired, &[&now.0, &count(limit)])])
                .await?;
            let ids = rows.first().into_iter().flatten();
            let ids = ids
                .map(|row| field::<i64>(row, 0))
                .collect::<Answer<Vec<_>>>()?;
            let purged = ids.len();
            let ids: [&(dyn ToSql + Sync); 1] = [&ids];
            let steps: Vec<_> = self.remove(&ids).collect();
            connection
                .query_and_commit(if purged == 0 { &[] } else { &steps })
                .await?;
            Ok(purged)
        };
        database.in_time(purge).await
    }
}
