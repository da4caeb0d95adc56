//! Workflow instances in a PostgreSQL database, beside `state.postgresql`.
//!
//! Several hosts share a store. A commit is guarded by epoch and version of the instance's row, within the statement or
//! transaction that writes it: a host that was taken for dead changes nothing. Simple commits of many instances share a
//! transaction (`writer`). Tables are made when the first engine joins. Leases are compared by the hosts' clocks, which
//! must agree within a small part of a lease.

mod commit;
mod create;
mod inbox;
mod listing;
mod ownership;
mod purge;
mod rows;
mod tables;
mod tasks;
#[cfg(test)]
mod tests;
mod whole;
mod writer;

pub(crate) use tables::Tables;

use crate::postgresql::{Database, Failure, Fault, Statement};
use async_trait::async_trait;
use berth_blocks::workflow::{
    ClaimRequest, ClaimedTask, Claims, Commit, Created, EventRow, InstanceKey, InstancePage,
    InstanceQuery, InstanceRow, Message, MessageId, NewInstance, Release, Sent, Status,
    StoredMessage, TaskId, Timestamp, WorkflowStore, WorkflowStoreError,
};
use berth_resources::{AppId, Namespace};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::OnceCell;
use writer::Writer;

type Answer<T> = Result<T, WorkflowStoreError>;

/// The workflow store of a database.
pub(crate) struct PostgresqlWorkflows {
    /// Shared with the other backends of the same settings.
    database: Arc<Database>,
    tables: Tables,
    statements: Arc<Statements>,
    /// Set once the tables are in their newest form.
    writer: OnceCell<Writer>,
}

/// Every statement of a store.
#[derive(Debug)]
struct Statements {
    ping: Statement,
    reads: rows::Reads,
    commits: commit::Commits,
    creates: create::Creates,
    inboxes: inbox::Inboxes,
    ownership: ownership::Ownership,
    purges: purge::Purges,
    tasks: tasks::Tasks,
    wholes: whole::Wholes,
}

impl PostgresqlWorkflows {
    pub(crate) fn new(database: Arc<Database>, tables: Tables) -> Self {
        let statements = Statements {
            ping: Statement::new("SELECT 1".to_owned(), &[]),
            reads: rows::Reads::new(&tables),
            commits: commit::Commits::new(&tables),
            creates: create::Creates::new(&tables),
            inboxes: inbox::Inboxes::new(&tables),
            ownership: ownership::Ownership::new(&tables),
            purges: purge::Purges::new(&tables),
            tasks: tasks::Tasks::new(&tables),
            wholes: whole::Wholes::new(&tables),
        };
        Self {
            database,
            tables,
            statements: Arc::new(statements),
            writer: OnceCell::new(),
        }
    }

    /// Makes the tables, once.
    async fn prepared(&self) -> Answer<&Writer> {
        let prepare = async || {
            let prepared = self.tables.prepare(&self.database).await;
            prepared.map_err(|failure| {
                let text = format!("preparing the tables of workflows: {failure}");
                match WorkflowStoreError::from(failure) {
                    WorkflowStoreError::Unavailable(_) => WorkflowStoreError::Unavailable(text),
                    _ => WorkflowStoreError::Other(text),
                }
            })?;
            Ok(Writer::start(
                self.database.clone(),
                self.statements.clone(),
            ))
        };
        self.writer.get_or_try_init(prepare).await
    }
}

#[async_trait]
impl WorkflowStore for PostgresqlWorkflows {
    fn is_shared(&self) -> bool {
        true
    }

    async fn join(&self, owner: &str, now: Timestamp, until: Timestamp) -> Answer<()> {
        self.prepared().await?;
        let ownership = &self.statements.ownership;
        ownership.join(&self.database, owner, now, until).await
    }

    async fn renew(&self, owner: &str, until: Timestamp) -> Answer<()> {
        self.prepared().await?;
        let ownership = &self.statements.ownership;
        ownership.renew(&self.database, owner, until).await
    }

    async fn leave(&self, owner: &str) -> Answer<()> {
        self.prepared().await?;
        let ownership = &self.statements.ownership;
        ownership.leave(&self.database, owner).await
    }

    async fn create(&self, instance: NewInstance, replaces: &[Status]) -> Answer<Created> {
        let writer = self.prepared().await?;
        if let Some(created) = writer.create(instance.clone()).await? {
            return Ok(created);
        }
        let Statements {
            creates, purges, ..
        } = &*self.statements;
        creates
            .replace(&self.database, purges, &instance, replaces)
            .await
    }

    async fn claim(&self, request: ClaimRequest) -> Answer<Claims> {
        self.prepared().await?;
        let ownership = &self.statements.ownership;
        ownership.claim(&self.database, &request).await
    }

    async fn owned(&self, owner: &str) -> Answer<Vec<(InstanceKey, u64)>> {
        self.prepared().await?;
        let ownership = &self.statements.ownership;
        ownership.owned(&self.database, owner).await
    }

    async fn commit(&self, commit: Commit) -> Answer<u64> {
        let writer = self.prepared().await?;
        if commit::is_simple(&commit) {
            return writer.commit(commit).await;
        }
        whole::commit(&self.database, &self.statements, &commit).await
    }

    async fn release(&self, key: &InstanceKey, epoch: u64, release: Release) -> Answer<()> {
        self.prepared().await?;
        let Statements {
            ownership, reads, ..
        } = &*self.statements;
        ownership
            .release(&self.database, reads, key, epoch, &release)
            .await
    }

    async fn history(&self, key: &InstanceKey, from: u64, limit: usize) -> Answer<Vec<EventRow>> {
        self.prepared().await?;
        let reads = &self.statements.reads;
        reads.history(&self.database, key, from, limit).await
    }

    async fn blob(&self, key: &InstanceKey, digest: &str) -> Answer<Option<Bytes>> {
        self.prepared().await?;
        let reads = &self.statements.reads;
        reads.blob(&self.database, key, digest).await
    }

    async fn send(&self, to: &InstanceKey, message: Message) -> Answer<Sent> {
        self.prepared().await?;
        let inboxes = &self.statements.inboxes;
        inboxes.send(&self.database, to, &message).await
    }

    async fn inbox(
        &self,
        key: &InstanceKey,
        after: MessageId,
        limit: usize,
    ) -> Answer<Vec<StoredMessage>> {
        self.prepared().await?;
        let inboxes = &self.statements.inboxes;
        inboxes.read(&self.database, key, after, limit).await
    }

    async fn get(&self, key: &InstanceKey) -> Answer<Option<InstanceRow>> {
        self.prepared().await?;
        self.statements.reads.get(&self.database, key).await
    }

    async fn list(&self, query: InstanceQuery) -> Answer<InstancePage> {
        self.prepared().await?;
        listing::list(&self.database, &self.tables, &query).await
    }

    async fn purge(&self, key: &InstanceKey, force: bool) -> Answer<bool> {
        self.prepared().await?;
        let purges = &self.statements.purges;
        purges.purge(&self.database, key, force).await
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Answer<usize> {
        self.prepared().await?;
        let purges = &self.statements.purges;
        purges.purge_expired(&self.database, now, limit).await
    }

    async fn wake_stalled(
        &self,
        namespace: &Namespace,
        app: &AppId,
        now: Timestamp,
    ) -> Answer<usize> {
        self.prepared().await?;
        let ownership = &self.statements.ownership;
        ownership
            .wake_stalled(&self.database, namespace, app, now)
            .await
    }

    async fn codes(&self, namespace: &Namespace, app: &AppId) -> Answer<Vec<String>> {
        self.prepared().await?;
        let reads = &self.statements.reads;
        reads.codes(&self.database, namespace, app).await
    }

    async fn claim_tasks(
        &self,
        apps: &[(Namespace, AppId)],
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Answer<Vec<ClaimedTask>> {
        self.prepared().await?;
        let tasks = &self.statements.tasks;
        tasks.claim(&self.database, apps, now, until, limit).await
    }

    async fn renew_tasks(&self, tasks: &[TaskId], until: Timestamp) -> Answer<Vec<TaskId>> {
        self.prepared().await?;
        self.statements
            .tasks
            .renew(&self.database, tasks, until)
            .await
    }

    async fn finish_task(&self, task: &TaskId, result: Message) -> Answer<bool> {
        self.prepared().await?;
        let tasks = &self.statements.tasks;
        tasks.finish(&self.database, task, &result).await
    }

    async fn ping(&self) -> Answer<()> {
        self.database.rows(&self.statements.ping, &[]).await?;
        Ok(())
    }
}

/// What a failure of the database means to the workflow engine.
impl From<Failure> for WorkflowStoreError {
    fn from(failure: Failure) -> Self {
        let text = failure.to_string();
        match failure.fault {
            Fault::Unavailable | Fault::Timeout => Self::Unavailable(text),
            Fault::TooLarge => Self::TooLarge(text),
            Fault::Invalid | Fault::Forbidden | Fault::Other => Self::Other(text),
        }
    }
}
