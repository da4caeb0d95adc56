//! Workflow instances in the memory of this process: one table behind one lock, held for single steps and never over an
//! await. For tests, simulations, and workflows that may be lost.

mod record;
mod table;

use crate::workflow::{
    ClaimRequest, ClaimedTask, Claims, Commit, Created, EventRow, InstanceKey, InstancePage,
    InstanceQuery, InstanceRow, Message, MessageId, NewInstance, Release, Sent, Status,
    StoredMessage, TaskId, Timestamp, WorkflowStore, WorkflowStoreError,
};
use async_trait::async_trait;
use berth_resources::{AppId, Namespace};
use bytes::Bytes;
use parking_lot::Mutex;
use record::Record;
use table::Table;

/// A workflow store in memory. Can do everything but survive the process.
#[derive(Debug, Default)]
pub struct InMemoryWorkflows(Mutex<Table>);

/// Rows of a store beside those of instances: what a purge must leave none of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowCounts {
    /// Instances.
    pub instances: usize,
    /// Events of all histories.
    pub events: usize,
    /// Messages, consumed ones that are kept for their ID included.
    pub messages: usize,
    /// Tasks.
    pub tasks: usize,
    /// Large payloads.
    pub blobs: usize,
}

impl InMemoryWorkflows {
    /// What it holds.
    #[must_use]
    pub fn counts(&self) -> RowCounts {
        self.0.lock().counts()
    }

    /// Ends the lease of every host, as if all of them had been away for long.
    pub fn end_leases(&self) {
        self.0.lock().end_leases();
    }

    /// Every row, by key: for checks after a test.
    #[must_use]
    pub fn rows(&self) -> Vec<InstanceRow> {
        let table = self.0.lock();
        table
            .records()
            .map(|(key, record)| record.row(key))
            .collect()
    }
}

#[async_trait]
impl WorkflowStore for InMemoryWorkflows {
    async fn join(
        &self,
        owner: &str,
        _: Timestamp,
        until: Timestamp,
    ) -> Result<(), WorkflowStoreError> {
        self.0.lock().renew(owner, until);
        Ok(())
    }

    async fn renew(&self, owner: &str, until: Timestamp) -> Result<(), WorkflowStoreError> {
        self.0.lock().renew(owner, until);
        Ok(())
    }

    async fn leave(&self, owner: &str) -> Result<(), WorkflowStoreError> {
        self.0.lock().leave(owner);
        Ok(())
    }

    async fn create(
        &self,
        instance: NewInstance,
        replaces: &[Status],
    ) -> Result<Created, WorkflowStoreError> {
        Ok(self.0.lock().create(instance, replaces))
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Claims, WorkflowStoreError> {
        Ok(self.0.lock().claim(&request))
    }

    async fn owned(&self, owner: &str) -> Result<Vec<(InstanceKey, u64)>, WorkflowStoreError> {
        Ok(self.0.lock().owned_by(owner))
    }

    async fn commit(&self, commit: Commit) -> Result<u64, WorkflowStoreError> {
        self.0.lock().commit(commit)
    }

    async fn release(
        &self,
        key: &InstanceKey,
        epoch: u64,
        release: Release,
    ) -> Result<(), WorkflowStoreError> {
        self.0.lock().owned(key, epoch)?.release(release);
        Ok(())
    }

    async fn history(
        &self,
        key: &InstanceKey,
        from: u64,
        limit: usize,
    ) -> Result<Vec<EventRow>, WorkflowStoreError> {
        self.0
            .lock()
            .read(key, |record| record.history(from, limit))
    }

    async fn blob(
        &self,
        key: &InstanceKey,
        digest: &str,
    ) -> Result<Option<Bytes>, WorkflowStoreError> {
        self.0
            .lock()
            .read(key, |record| record.blobs.get(digest).cloned())
    }

    async fn send(&self, to: &InstanceKey, message: Message) -> Result<Sent, WorkflowStoreError> {
        Ok(self.0.lock().send(to, message))
    }

    async fn inbox(
        &self,
        key: &InstanceKey,
        after: MessageId,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, WorkflowStoreError> {
        self.0.lock().read(key, |record| record.inbox(after, limit))
    }

    async fn get(&self, key: &InstanceKey) -> Result<Option<InstanceRow>, WorkflowStoreError> {
        let table = self.0.lock();
        Ok(table.find(key).map(|record| record.row(key)))
    }

    async fn list(&self, query: InstanceQuery) -> Result<InstancePage, WorkflowStoreError> {
        Ok(self.0.lock().list(&query))
    }

    async fn purge(&self, key: &InstanceKey, force: bool) -> Result<bool, WorkflowStoreError> {
        self.0.lock().purge(key, force)
    }

    async fn purge_expired(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, WorkflowStoreError> {
        Ok(self.0.lock().purge_expired(now, limit))
    }

    async fn wake_stalled(
        &self,
        namespace: &Namespace,
        app: &AppId,
        now: Timestamp,
    ) -> Result<usize, WorkflowStoreError> {
        Ok(self.0.lock().wake_stalled(namespace, app, now))
    }

    async fn codes(
        &self,
        namespace: &Namespace,
        app: &AppId,
    ) -> Result<Vec<String>, WorkflowStoreError> {
        Ok(self.0.lock().codes(namespace, app))
    }

    async fn claim_tasks(
        &self,
        apps: &[(Namespace, AppId)],
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<ClaimedTask>, WorkflowStoreError> {
        Ok(self.0.lock().claim_tasks(apps, now, until, limit))
    }

    async fn renew_tasks(
        &self,
        tasks: &[TaskId],
        until: Timestamp,
    ) -> Result<Vec<TaskId>, WorkflowStoreError> {
        let mut table = self.0.lock();
        let lost = tasks.iter().filter(|task| !table.renew_task(task, until));
        Ok(lost.cloned().collect())
    }

    async fn finish_task(
        &self,
        task: &TaskId,
        result: Message,
    ) -> Result<bool, WorkflowStoreError> {
        Ok(self.0.lock().finish_task(task, result))
    }

    async fn ping(&self) -> Result<(), WorkflowStoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::Subject;
    use std::sync::Arc;

    async fn open_for_test() -> Subject<dyn WorkflowStore> {
        Subject::new(Arc::new(InMemoryWorkflows::default()))
    }

    crate::workflow_conformance!(memory: open_for_test);
}
