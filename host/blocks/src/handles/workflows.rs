//! Workflows as doors call them.

use crate::{
    Blocks, Caller,
    pipeline::{ByOutcome, Call, Operation, Subject},
    workflow::{
        HistoryEvent, InstanceKey, InstancePage, InstanceQuery, InstanceView, Payload,
        RerunOptions, StartOptions, StartedInstance, WorkflowEngine, WorkflowError,
    },
};
use berth_resiliency::{Endpoint, Repeated};
use berth_resources::AppId;
use berth_telemetry::trace::Span;
use std::{future::Future, sync::Arc, time::Duration};

/// Workflow instances of the caller's namespace, for one caller.
#[derive(Clone)]
pub struct Workflows {
    blocks: Blocks,
    caller: Arc<Caller>,
}

impl Workflows {
    pub(crate) fn new(blocks: Blocks, caller: Arc<Caller>) -> Self {
        Self { blocks, caller }
    }

    /// The instance with an ID; `app`: whose workflow it is, absent: the caller's own.
    ///
    /// # Errors
    /// `Invalid` for a name that is no app ID.
    pub fn key(&self, app: Option<&str>, id: &str) -> Result<InstanceKey, WorkflowError> {
        let app = self.app(app)?;
        Ok(InstanceKey::new(self.caller.namespace.clone(), app, id))
    }

    /// The app that a name means.
    ///
    /// # Errors
    /// `Invalid` for a name that is no app ID, `Denied` for one of another namespace.
    pub fn app(&self, app: Option<&str>) -> Result<AppId, WorkflowError> {
        let own = &self.caller.namespace;
        let Some(name) = app else {
            return Ok(self.caller.app.clone());
        };
        let (app, namespace) = name.split_once('.').unwrap_or((name, own.as_str()));
        if namespace != own.as_str() {
            return Err(WorkflowError::Denied(format!(
                "app \"{}\" of namespace \"{own}\" may not use workflows of namespace \"{namespace}\"",
                self.caller.app
            )));
        }
        app.parse().map_err(|error: berth_resources::InvalidName| {
            WorkflowError::Invalid(error.to_string())
        })
    }

    /// Starts an instance. When this returns, it is stored and will run.
    ///
    /// # Errors
    /// As [`WorkflowEngine::start`].
    pub async fn start(
        &self,
        key: &InstanceKey,
        workflow: &str,
        input: Payload,
        mut options: StartOptions,
    ) -> Result<StartedInstance, WorkflowError> {
        let operation = Operation::WorkflowStart;
        let span = self.begin(operation);
        let trace = || self.caller.trace.inside(&span).context().to_string();
        options.traceparent.get_or_insert_with(trace);
        let start = move |engine: Arc<dyn WorkflowEngine>| {
            let (input, options) = (input.clone(), options.clone());
            async move { engine.start(key, workflow, input, options).await }
        };
        self.run_within(operation, span, start).await
    }

    /// An instance; `None`: there is none.
    ///
    /// # Errors
    /// As [`WorkflowEngine::get`].
    pub async fn get(&self, key: &InstanceKey) -> Result<Option<InstanceView>, WorkflowError> {
        let get = move |engine: Arc<dyn WorkflowEngine>| async move { engine.get(key).await };
        self.run(Operation::WorkflowGet, get).await
    }

    /// Waits until an instance has ended, at most until the caller's own deadline.
    ///
    /// # Errors
    /// As [`WorkflowEngine::wait`].
    pub async fn wait(
        &self,
        key: &InstanceKey,
        timeout: Option<Duration>,
    ) -> Result<InstanceView, WorkflowError> {
        let wait =
            move |engine: Arc<dyn WorkflowEngine>| async move { engine.wait(key, timeout).await };
        self.run(Operation::WorkflowWait, wait).await
    }

    /// Sends an external event.
    ///
    /// # Errors
    /// As [`WorkflowEngine::raise_event`].
    pub async fn raise_event(
        &self,
        key: &InstanceKey,
        name: &str,
        payload: Payload,
        id: Option<String>,
    ) -> Result<(), WorkflowError> {
        let raise = move |engine: Arc<dyn WorkflowEngine>| {
            let (payload, id) = (payload.clone(), id.clone());
            async move { engine.raise_event(key, name, payload, id).await }
        };
        self.run(Operation::WorkflowRaiseEvent, raise).await
    }

    /// Asks a workflow to cancel.
    ///
    /// # Errors
    /// As [`WorkflowEngine::cancel`].
    pub async fn cancel(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        let cancel =
            move |engine: Arc<dyn WorkflowEngine>| async move { engine.cancel(key, reason).await };
        self.run(Operation::WorkflowCancel, cancel).await
    }

    /// Lets nothing more happen in an instance until it is resumed.
    ///
    /// # Errors
    /// As [`WorkflowEngine::suspend`].
    pub async fn suspend(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        let suspend =
            move |engine: Arc<dyn WorkflowEngine>| async move { engine.suspend(key, reason).await };
        self.run(Operation::WorkflowSuspend, suspend).await
    }

    /// Lets a suspended instance go on.
    ///
    /// # Errors
    /// As [`WorkflowEngine::resume`].
    pub async fn resume(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        let resume =
            move |engine: Arc<dyn WorkflowEngine>| async move { engine.resume(key, reason).await };
        self.run(Operation::WorkflowResume, resume).await
    }

    /// Ends an instance, and if `recursive` its children.
    ///
    /// # Errors
    /// As [`WorkflowEngine::terminate`].
    pub async fn terminate(
        &self,
        key: &InstanceKey,
        reason: &str,
        recursive: bool,
    ) -> Result<(), WorkflowError> {
        let terminate = move |engine: Arc<dyn WorkflowEngine>| async move {
            engine.terminate(key, reason, recursive).await
        };
        self.run(Operation::WorkflowTerminate, terminate).await
    }

    /// Removes an instance. `false`: there was none.
    ///
    /// # Errors
    /// As [`WorkflowEngine::purge`].
    pub async fn purge(
        &self,
        key: &InstanceKey,
        force: bool,
        recursive: bool,
    ) -> Result<bool, WorkflowError> {
        let purge = move |engine: Arc<dyn WorkflowEngine>| async move {
            engine.purge(key, force, recursive).await
        };
        self.run(Operation::WorkflowPurge, purge).await
    }

    /// Instances that match, newest first; of other namespaces than the caller's, none.
    ///
    /// # Errors
    /// As [`WorkflowEngine::list`].
    pub async fn list(&self, mut query: InstanceQuery) -> Result<InstancePage, WorkflowError> {
        query.namespace = self.caller.namespace.clone();
        let list = move |engine: Arc<dyn WorkflowEngine>| {
            let query = query.clone();
            async move { engine.list(query).await }
        };
        self.run(Operation::WorkflowList, list).await
    }

    /// Events of an instance's history from number `from` on, at most `limit`. The first has the input.
    ///
    /// # Errors
    /// As [`WorkflowEngine::history`].
    pub async fn history(
        &self,
        key: &InstanceKey,
        from: u64,
        limit: usize,
    ) -> Result<Vec<HistoryEvent>, WorkflowError> {
        let history = move |engine: Arc<dyn WorkflowEngine>| async move {
            engine.history(key, from, limit).await
        };
        self.run(Operation::WorkflowHistory, history).await
    }

    /// Starts a new instance with the history of another up to an event, which is run again.
    ///
    /// # Errors
    /// As [`WorkflowEngine::rerun`].
    pub async fn rerun(
        &self,
        key: &InstanceKey,
        from: u64,
        new_id: &str,
        options: RerunOptions,
    ) -> Result<StartedInstance, WorkflowError> {
        let rerun = move |engine: Arc<dyn WorkflowEngine>| {
            let options = options.clone();
            async move { engine.rerun(key, from, new_id, options).await }
        };
        self.run(Operation::WorkflowRerun, rerun).await
    }

    fn begin(&self, operation: Operation) -> Span {
        let caller = &self.caller;
        let calls = self.blocks.workflow_calls(&caller.namespace, &caller.app);
        operation.span(&caller.trace, &calls)
    }

    async fn run<T, F>(
        &self,
        operation: Operation,
        work: impl Fn(Arc<dyn WorkflowEngine>) -> F,
    ) -> Result<T, WorkflowError>
    where
        F: Future<Output = Result<T, WorkflowError>>,
    {
        let span = self.begin(operation);
        self.run_within(operation, span, work).await
    }

    /// Runs one call. No policy repeats it: the engine knows which of its attempts are safe.
    async fn run_within<T, F>(
        &self,
        operation: Operation,
        span: Span,
        work: impl Fn(Arc<dyn WorkflowEngine>) -> F,
    ) -> Result<T, WorkflowError>
    where
        F: Future<Output = Result<T, WorkflowError>>,
    {
        let caller = &self.caller;
        let calls = self.blocks.workflow_calls(&caller.namespace, &caller.app);
        let call = Call {
            calls: &calls,
            subject: Subject::Workflows,
            operation,
            span,
            deadline: caller.deadline,
            policy: None,
            endpoint: Endpoint::WHOLE,
        };
        let attempt = |Repeated(())| {
            let engine = self.blocks.workflow_engine().cloned();
            let work = engine.map(&work);
            async move {
                match work {
                    Some(work) => work.await,
                    None => Err(WorkflowError::Unavailable(
                        "workflows are not connected yet".to_owned(),
                    )),
                }
            }
        };
        call.run(Repeated(()), attempt, &ByOutcome).await
    }
}
