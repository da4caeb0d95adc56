//! The workflow engine as guests ask it, with the probe before it.

use crate::probe::{Asked, SharedProbe};
use async_trait::async_trait;
use berth_blocks::workflow::{
    HistoryEvent, InstanceKey, InstancePage, InstanceQuery, InstanceView, Payload, RerunOptions,
    StartOptions, StartedInstance, WorkflowEngine, WorkflowError,
};
use std::{sync::Arc, time::Duration};

/// An engine in front of which something may go wrong.
pub(crate) struct WatchedEngine {
    pub(crate) inner: Arc<dyn WorkflowEngine>,
    pub(crate) probe: SharedProbe,
}

impl WatchedEngine {
    async fn call<T>(
        &self,
        operation: &'static str,
        key: &InstanceKey,
        work: impl Future<Output = Result<T, WorkflowError>>,
    ) -> Result<T, WorkflowError> {
        let asked = Asked {
            operation,
            of: key.app.as_str(),
            key: &key.id,
            caller: None,
        };
        self.probe.call(asked, work).await
    }
}

#[async_trait]
impl WorkflowEngine for WatchedEngine {
    async fn start(
        &self,
        key: &InstanceKey,
        workflow: &str,
        input: Payload,
        options: StartOptions,
    ) -> Result<StartedInstance, WorkflowError> {
        let work = self.inner.start(key, workflow, input, options);
        self.call("workflow.start", key, work).await
    }

    async fn get(&self, key: &InstanceKey) -> Result<Option<InstanceView>, WorkflowError> {
        self.call("workflow.get", key, self.inner.get(key)).await
    }

    async fn wait(
        &self,
        key: &InstanceKey,
        timeout: Option<Duration>,
    ) -> Result<InstanceView, WorkflowError> {
        let work = self.inner.wait(key, timeout);
        self.call("workflow.wait", key, work).await
    }

    async fn raise_event(
        &self,
        key: &InstanceKey,
        name: &str,
        payload: Payload,
        id: Option<String>,
    ) -> Result<(), WorkflowError> {
        let work = self.inner.raise_event(key, name, payload, id);
        self.call("workflow.raise_event", key, work).await
    }

    async fn cancel(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        self.inner.cancel(key, reason).await
    }

    async fn suspend(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        self.inner.suspend(key, reason).await
    }

    async fn resume(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        self.inner.resume(key, reason).await
    }

    async fn terminate(
        &self,
        key: &InstanceKey,
        reason: &str,
        recursive: bool,
    ) -> Result<(), WorkflowError> {
        let work = self.inner.terminate(key, reason, recursive);
        self.call("workflow.terminate", key, work).await
    }

    async fn purge(
        &self,
        key: &InstanceKey,
        force: bool,
        recursive: bool,
    ) -> Result<bool, WorkflowError> {
        self.inner.purge(key, force, recursive).await
    }

    async fn list(&self, query: InstanceQuery) -> Result<InstancePage, WorkflowError> {
        self.inner.list(query).await
    }

    async fn history(
        &self,
        key: &InstanceKey,
        from: u64,
        limit: usize,
    ) -> Result<Vec<HistoryEvent>, WorkflowError> {
        self.inner.history(key, from, limit).await
    }

    async fn rerun(
        &self,
        key: &InstanceKey,
        from: u64,
        new_id: &str,
        options: RerunOptions,
    ) -> Result<StartedInstance, WorkflowError> {
        self.inner.rerun(key, from, new_id, options).await
    }
}
