//! Workflow instances in a SQLite file, beside `state.sqlite`.
//!
//! An event is one row, appended by row ID, so that interleaved instances do not scatter over the file; an instance is
//! one narrow row, written with each commit. Commits of all instances share transactions (see `crate::sqlite`); leases and
//! claims cost no fsync of their own. Tables are made when the first engine joins: a file that Dapr shares and that runs
//! no workflow here keeps its own tables only.

mod commit;
mod create;
mod inbox;
mod ownership;
mod purge;
mod rows;
mod tables;
mod tasks;
#[cfg(test)]
mod tests;

use crate::sqlite::{Database, EngineError, Fault, JobError};
use async_trait::async_trait;
use berth_blocks::workflow::{
    ClaimRequest, ClaimedTask, Claims, Commit, Created, EventRow, InstanceKey, InstancePage,
    InstanceQuery, InstanceRow, Message, MessageId, NewInstance, Release, Sent, Status,
    StoredMessage, TaskId, Timestamp, WorkflowStore, WorkflowStoreError,
};
use berth_resources::{AppId, Namespace};
use bytes::Bytes;
use rusqlite::{Connection, Transaction};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::OnceCell;

/// What a job gives.
type Answer<T> = Result<T, JobError<WorkflowStoreError>>;

/// The workflow store of a file.
pub(crate) struct SqliteWorkflows {
    /// Shared with the other backends of the file.
    database: Arc<Database>,
    /// Set once the tables are in their newest form: this run of the host.
    run: OnceCell<i64>,
    /// Claims of tasks in this run.
    claims: AtomicU64,
}

impl SqliteWorkflows {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self {
            database,
            run: OnceCell::new(),
            claims: AtomicU64::new(0),
        }
    }

    /// Makes the tables, once. Gives this run of the host.
    async fn prepared(&self) -> Result<i64, WorkflowStoreError> {
        let prepare = async || {
            let migrated = self.database.migrate(tables::OWNER, tables::STEPS).await;
            migrated.map_err(|error| WorkflowStoreError::Unavailable(error.to_string()))?;
            Ok(self.database.run().await?.id)
        };
        self.run.get_or_try_init(prepare).await.copied()
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Answer<T> + Send + 'static,
    ) -> Result<T, WorkflowStoreError> {
        self.prepared().await?;
        self.database.read(job).await
    }

    /// On the disk when it is answered.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Answer<T> + Send + 'static,
    ) -> Result<T, WorkflowStoreError> {
        self.prepared().await?;
        self.database.write(job).await
    }

    /// For ownership, which a power failure ends anyway.
    async fn write_relaxed<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Answer<T> + Send + 'static,
    ) -> Result<T, WorkflowStoreError> {
        self.prepared().await?;
        self.database.write_relaxed(job, |_| ()).await
    }

    /// A number for a claim of a task, never given twice for a file: runs are told apart, too.
    async fn next_claims(&self, count: u64) -> Result<u64, WorkflowStoreError> {
        let run = u64::try_from(self.prepared().await?).unwrap_or(0);
        let first = self.claims.fetch_add(count, Ordering::Relaxed);
        Ok((run << 32).wrapping_add(first).wrapping_add(1))
    }
}

#[async_trait]
impl WorkflowStore for SqliteWorkflows {
    async fn join(
        &self,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), WorkflowStoreError> {
        let run = self.prepared().await?;
        let over_before = self.database.run().await?.over_before;
        let owner = owner.to_owned();
        self.write_relaxed(move |transaction| {
            ownership::end_runs(transaction, over_before, now)?;
            ownership::renew(transaction, &owner, run, until)
        })
        .await
    }

    async fn renew(&self, owner: &str, until: Timestamp) -> Result<(), WorkflowStoreError> {
        let run = self.prepared().await?;
        let owner = owner.to_owned();
        self.write_relaxed(move |transaction| ownership::renew(transaction, &owner, run, until))
            .await
    }

    async fn leave(&self, owner: &str) -> Result<(), WorkflowStoreError> {
        let owner = owner.to_owned();
        self.write_relaxed(move |transaction| ownership::leave(transaction, &owner))
            .await
    }

    async fn create(
        &self,
        instance: NewInstance,
        replaces: &[Status],
    ) -> Result<Created, WorkflowStoreError> {
        let replaces = replaces.to_vec();
        self.write(move |transaction| create::create(transaction, &instance, &replaces))
            .await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims, WorkflowStoreError> {
        let request = Arc::new(request);
        // Most looks find nothing, and looking costs no transaction.
        let looked = request.clone();
        let look = self.read(move |connection| ownership::look(connection, &looked));
        let look = look.await?;
        if !look.is_ready {
            return Ok(Claims {
                claimed: Vec::new(),
                next_ready_at: look.next_ready_at,
            });
        }
        self.write_relaxed(move |transaction| ownership::claim(transaction, &request))
            .await
    }

    async fn owned(&self, owner: &str) -> Result<Vec<(InstanceKey, u64)>, WorkflowStoreError> {
        let owner = owner.to_owned();
        self.read(move |connection| ownership::owned(connection, &owner))
            .await
    }

    async fn commit(&self, commit: Commit) -> Result<u64, WorkflowStoreError> {
        self.write(move |transaction| commit::commit(transaction, &commit))
            .await
    }

    async fn release(
        &self,
        key: &InstanceKey,
        epoch: u64,
        release: Release,
    ) -> Result<(), WorkflowStoreError> {
        let key = key.clone();
        self.write_relaxed(move |transaction| {
            ownership::release(transaction, &key, epoch, &release)
        })
        .await
    }

    async fn history(
        &self,
        key: &InstanceKey,
        from: u64,
        limit: usize,
    ) -> Result<Vec<EventRow>, WorkflowStoreError> {
        let key = key.clone();
        self.read(move |connection| rows::history(connection, &key, from, limit))
            .await
    }

    async fn blob(
        &self,
        key: &InstanceKey,
        digest: &str,
    ) -> Result<Option<Bytes>, WorkflowStoreError> {
        let (key, digest) = (key.clone(), digest.to_owned());
        self.read(move |connection| rows::blob(connection, &key, &digest))
            .await
    }

    async fn send(&self, to: &InstanceKey, message: Message) -> Result<Sent, WorkflowStoreError> {
        let to = to.clone();
        self.write(move |transaction| Ok(inbox::send(transaction, &to, &message)?))
            .await
    }

    async fn inbox(
        &self,
        key: &InstanceKey,
        after: MessageId,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, WorkflowStoreError> {
        let key = key.clone();
        self.read(move |connection| inbox::read(connection, &key, after, limit))
            .await
    }

    async fn get(&self, key: &InstanceKey) -> Result<Option<InstanceRow>, WorkflowStoreError> {
        let key = key.clone();
        self.read(move |connection| Ok(rows::find(connection, &key)?.map(|found| found.row)))
            .await
    }

    async fn list(&self, query: InstanceQuery) -> Result<InstancePage, WorkflowStoreError> {
        self.read(move |connection| rows::list(connection, &query))
            .await
    }

    async fn purge(&self, key: &InstanceKey, force: bool) -> Result<bool, WorkflowStoreError> {
        let key = key.clone();
        self.write(move |transaction| purge::purge(transaction, &key, force))
            .await
    }

    async fn purge_expired(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, WorkflowStoreError> {
        let expired = self.read(move |connection| purge::expired(connection, now, limit));
        let expired = expired.await?;
        if expired.is_empty() {
            return Ok(0);
        }
        self.write(move |transaction| purge::purge_all(transaction, &expired, now))
            .await
    }

    async fn wake_stalled(
        &self,
        namespace: &Namespace,
        app: &AppId,
        now: Timestamp,
    ) -> Result<usize, WorkflowStoreError> {
        let (namespace, app) = (namespace.clone(), app.clone());
        self.write(move |transaction| ownership::wake_stalled(transaction, &namespace, &app, now))
            .await
    }

    async fn codes(
        &self,
        namespace: &Namespace,
        app: &AppId,
    ) -> Result<Vec<String>, WorkflowStoreError> {
        let (namespace, app) = (namespace.clone(), app.clone());
        self.read(move |connection| rows::codes(connection, &namespace, &app))
            .await
    }

    async fn claim_tasks(
        &self,
        apps: &[(Namespace, AppId)],
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<ClaimedTask>, WorkflowStoreError> {
        let apps = rows::app_list(apps);
        let looked = apps.clone();
        let ready = self.read(move |connection| tasks::is_ready(connection, &looked, now));
        if !ready.await? {
            return Ok(Vec::new());
        }
        let first_claim = self.next_claims(limit as u64).await?;
        self.write_relaxed(move |transaction| {
            tasks::claim(transaction, &apps, now, until, limit, first_claim)
        })
        .await
    }

    async fn renew_tasks(
        &self,
        tasks: &[TaskId],
        until: Timestamp,
    ) -> Result<Vec<TaskId>, WorkflowStoreError> {
        let tasks = tasks.to_vec();
        self.write_relaxed(move |transaction| tasks::renew(transaction, tasks, until))
            .await
    }

    async fn finish_task(
        &self,
        task: &TaskId,
        result: Message,
    ) -> Result<bool, WorkflowStoreError> {
        let task = task.clone();
        self.write(move |transaction| tasks::finish(transaction, &task, &result))
            .await
    }

    async fn ping(&self) -> Result<(), WorkflowStoreError> {
        Ok(self.database.ping().await?)
    }
}

/// What a failure of the engine means to the workflow engine.
impl From<EngineError> for WorkflowStoreError {
    fn from(error: EngineError) -> Self {
        match error.fault {
            Fault::TooLarge => Self::TooLarge(error.to_string()),
            Fault::Full | Fault::Io | Fault::Busy | Fault::ReadOnly | Fault::Closed => {
                Self::Unavailable(error.to_string())
            }
            Fault::Corrupt | Fault::Other => Self::Other(error.to_string()),
        }
    }
}
