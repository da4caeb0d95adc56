//! The engines of a host: one for each namespace that has workflows, on the store that its documents choose.

use super::{Config, Engine, Limits, history::shown, runs::Runs};
use crate::{
    ActivityTask, Context, EndedRun, Executor, Failure, Payload, Platform, Tokio, WorkflowEnd,
    WorkflowError, WorkflowRun,
};
use async_trait::async_trait;
use berth_blocks::{
    Blocks, WorkflowBackend,
    workflow::{
        HistoryEvent, InstanceKey, InstancePage, InstanceQuery, InstanceView, RerunOptions,
        StartOptions, StartedInstance, WorkflowEngine,
    },
};
use berth_resources::{AppId, Namespace};
use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How often owned instances look for messages from other hosts, on stores that several hosts share.
const INBOX_INTERVAL: Duration = Duration::from_millis(200);

/// The engines of a host. An engine is opened for a namespace whose apps have workflows or activities, or when somebody
/// first asks for an instance of it.
pub struct Engines {
    blocks: Blocks,
    executor: Arc<dyn Executor>,
    config: Config,
    platform: Arc<dyn Platform>,
    runs: Runs,
    limits: Mutex<HashMap<Namespace, Limits>>,
    open: Mutex<HashMap<Namespace, Arc<Slot>>>,
    stopped: AtomicBool,
}

/// The engine of a namespace. Opening holds the lock, so that nobody opens a second one.
#[derive(Default)]
struct Slot(tokio::sync::Mutex<Option<Running>>);

#[derive(Clone)]
struct Running {
    backend: WorkflowBackend,
    limits: Limits,
    engine: Arc<Engine>,
}

/// The part of an executor that belongs to one namespace.
struct Within {
    namespace: Namespace,
    /// Which of its apps have workflows.
    backend: WorkflowBackend,
    executor: Arc<dyn Executor>,
}

impl Executor for Within {
    fn apps(&self) -> Vec<(Namespace, AppId)> {
        let mut apps = self.executor.apps();
        apps.retain(|(namespace, app)| {
            *namespace == self.namespace && self.backend.visible_to(app)
        });
        apps
    }

    fn code(&self, key: &InstanceKey, workflow: &str, stored: Option<&str>) -> Option<String> {
        self.executor.code(key, workflow, stored)
    }

    fn run_workflow(&self, context: Context, run: WorkflowRun) -> BoxFuture<'static, WorkflowEnd> {
        self.executor.run_workflow(context, run)
    }

    fn run_activity(&self, task: ActivityTask) -> BoxFuture<'static, Result<Payload, Failure>> {
        self.executor.run_activity(task)
    }

    fn run_ended(&self, run: EndedRun) {
        self.executor.run_ended(run);
    }
}

impl Engines {
    /// No engine yet. Stores are those of the backends of `blocks`; in `data_dir` the host remembers what it needs to
    /// know of itself after a crash.
    #[must_use]
    pub fn new(
        blocks: Blocks,
        executor: Arc<dyn Executor>,
        config: Config,
        data_dir: PathBuf,
    ) -> Arc<Self> {
        Self::on(blocks, executor, config, data_dir, Arc::new(Tokio))
    }

    /// The same on another platform.
    #[must_use]
    pub fn on(
        blocks: Blocks,
        executor: Arc<dyn Executor>,
        config: Config,
        data_dir: PathBuf,
        platform: Arc<dyn Platform>,
    ) -> Arc<Self> {
        Arc::new(Self {
            blocks,
            executor,
            config,
            platform,
            runs: Runs::new(data_dir),
            limits: Mutex::default(),
            open: Mutex::default(),
            stopped: AtomicBool::new(false),
        })
    }

    /// Sets what namespaces ask for. An engine that has to work otherwise from now on is opened anew by the next
    /// [`reconcile`](Self::reconcile).
    pub fn set_limits(&self, limits: HashMap<Namespace, Limits>) {
        *self.limits.lock() = limits;
    }

    /// Backends or apps have changed: opens the engines of namespaces that have workflows, moves those whose documents
    /// name another store, and lets stalled instances of `changed` apps try again. An engine that cannot be opened is
    /// logged, and opened when somebody asks for it.
    pub async fn reconcile(&self, changed: &[(Namespace, AppId)]) {
        let apps = self.executor.apps().into_iter();
        let mut wanted: BTreeSet<Namespace> = apps.map(|(namespace, _)| namespace).collect();
        wanted.extend(self.open.lock().keys().cloned());
        join_all(wanted.iter().map(|namespace| async move {
            let engine = match self.engine(namespace).await {
                Ok(engine) => engine,
                Err(error) => {
                    tracing::error!(%namespace, %error, "workflows do not run");
                    return;
                }
            };
            engine.apps_changed();
            for (_, app) in changed.iter().filter(|(of, _)| of == namespace) {
                if let Err(error) = engine.code_changed(namespace, app).await {
                    tracing::warn!(%namespace, %app, %error, "stalled workflows are not tried again");
                }
            }
        }))
        .await;
    }

    /// The engine of a namespace, on the store of this moment.
    ///
    /// # Errors
    /// There is no store, or it cannot be reached.
    pub async fn engine(&self, namespace: &Namespace) -> Result<Arc<Engine>, WorkflowError> {
        let slot = self.slot(namespace);
        let mut running = slot.0.lock().await;
        let backend = self.backend(namespace).await?;
        let limits = self.limits.lock().get(namespace).copied();
        let limits = limits.unwrap_or_default();
        if let Some(running) = &*running
            && running.backend.is_same(&backend)
            && running.limits == limits
        {
            return Ok(running.engine.clone());
        }
        if self.stopped.load(Ordering::Relaxed) {
            return Err(WorkflowError::Unavailable("the host stops".to_owned()));
        }
        // Instances that run on the store of before are given up: they stay there.
        if let Some(before) = running.take() {
            before.engine.shut_down().await;
        }
        let executor = Arc::new(Within {
            namespace: namespace.clone(),
            backend: backend.clone(),
            executor: self.executor.clone(),
        });
        let store = backend.store.clone();
        let mut config = self.config.within(limits);
        // A store of one host knows by itself which runs are over.
        if store.is_shared() {
            let owner = uuid::Uuid::new_v4().to_string();
            config.inbox_interval = Some(INBOX_INTERVAL);
            config.former_owners = self.former_owners(namespace, &owner);
            config.owner = Some(owner);
        }
        let owner = config.owner.clone();
        let engine = Engine::open(store, executor, self.platform.clone(), config).await?;
        if let Some(owner) = owner
            && let Err(error) = self.runs.settle(namespace, &owner)
        {
            tracing::warn!(%namespace, %error, "noting who owns workflows");
        }
        let engine = Arc::new(engine);
        *running = Some(Running {
            backend,
            limits,
            engine: engine.clone(),
        });
        Ok(engine)
    }

    /// Without the file their leases run out by themselves.
    fn former_owners(&self, namespace: &Namespace, owner: &str) -> Vec<String> {
        let former = self.runs.begin(namespace, owner);
        former.unwrap_or_else(|error| {
            tracing::warn!(%namespace, %error, "noting who owns workflows");
            Vec::new()
        })
    }

    fn slot(&self, namespace: &Namespace) -> Arc<Slot> {
        let mut open = self.open.lock();
        open.entry(namespace.clone()).or_default().clone()
    }

    async fn backend(&self, namespace: &Namespace) -> Result<WorkflowBackend, WorkflowError> {
        let backends = self.blocks.snapshot();
        let backend = backends.workflow_backend(namespace).await;
        backend.map_err(|why| WorkflowError::Unavailable(why.to_string()))
    }

    fn running(&self) -> Vec<Running> {
        let slots: Vec<_> = self.open.lock().values().cloned().collect();
        let engines = slots.iter().filter_map(|slot| slot.0.try_lock().ok());
        engines.filter_map(|running| running.clone()).collect()
    }

    /// Gives instances up that wait, at most `count` in each namespace: somebody needs their places.
    pub fn release_idle(&self, count: usize) {
        for running in self.running() {
            running.engine.release_idle(count);
        }
    }

    /// Gives every instance up, so that another host or the next start takes over at once.
    pub async fn shut_down(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        let slots: Vec<_> = self.open.lock().drain().map(|(_, slot)| slot).collect();
        join_all(slots.iter().map(|slot| async {
            if let Some(running) = slot.0.lock().await.take() {
                running.engine.shut_down().await;
            }
        }))
        .await;
    }
}

#[async_trait]
impl WorkflowEngine for Engines {
    async fn start(
        &self,
        key: &InstanceKey,
        workflow: &str,
        input: Payload,
        options: StartOptions,
    ) -> Result<StartedInstance, WorkflowError> {
        let (namespace, app) = (&key.namespace, &key.app);
        if let Some(known) = self.executor.workflows(namespace, app)
            && !known.iter().any(|name| name == workflow)
        {
            let list = known.join("`, `");
            return Err(WorkflowError::NotFound(format!(
                "app \"{app}\" has no workflow `{workflow}`, but `{list}`"
            )));
        }
        let engine = self.engine(namespace).await?;
        let backend = self.backend(namespace).await?;
        if !backend.visible_to(app) {
            return Err(WorkflowError::Denied(format!(
                "the scopes of \"{}\", which keeps the workflows of namespace \"{namespace}\", leave out app \"{app}\"",
                backend.name
            )));
        }
        engine.start(key, workflow, input, options).await
    }

    async fn get(&self, key: &InstanceKey) -> Result<Option<InstanceView>, WorkflowError> {
        self.engine(&key.namespace).await?.get(key).await
    }

    async fn wait(
        &self,
        key: &InstanceKey,
        timeout: Option<Duration>,
    ) -> Result<InstanceView, WorkflowError> {
        self.engine(&key.namespace).await?.wait(key, timeout).await
    }

    async fn raise_event(
        &self,
        key: &InstanceKey,
        name: &str,
        payload: Payload,
        id: Option<String>,
    ) -> Result<(), WorkflowError> {
        let engine = self.engine(&key.namespace).await?;
        engine.raise_event(key, name, payload, id).await
    }

    async fn cancel(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        self.engine(&key.namespace).await?.cancel(key, reason).await
    }

    async fn suspend(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        let engine = self.engine(&key.namespace).await?;
        engine.suspend(key, reason).await
    }

    async fn resume(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        self.engine(&key.namespace).await?.resume(key, reason).await
    }

    async fn terminate(
        &self,
        key: &InstanceKey,
        reason: &str,
        recursive: bool,
    ) -> Result<(), WorkflowError> {
        let engine = self.engine(&key.namespace).await?;
        engine.terminate(key, reason, recursive).await
    }

    async fn purge(
        &self,
        key: &InstanceKey,
        force: bool,
        recursive: bool,
    ) -> Result<bool, WorkflowError> {
        let engine = self.engine(&key.namespace).await?;
        engine.purge(key, force, recursive).await
    }

    async fn list(&self, query: InstanceQuery) -> Result<InstancePage, WorkflowError> {
        self.engine(&query.namespace).await?.list(query).await
    }

    async fn history(
        &self,
        key: &InstanceKey,
        from: u64,
        limit: usize,
    ) -> Result<Vec<HistoryEvent>, WorkflowError> {
        let engine = self.engine(&key.namespace).await?;
        let page = engine.history_page(key, from, limit).await?;
        Ok(page.into_iter().map(shown).collect())
    }

    async fn rerun(
        &self,
        key: &InstanceKey,
        from: u64,
        new_id: &str,
        options: RerunOptions,
    ) -> Result<StartedInstance, WorkflowError> {
        let engine = self.engine(&key.namespace).await?;
        engine.rerun(key, from, new_id, options).await
    }
}
