//! What doors hold.

use crate::{
    Caller,
    backend::{Backend, Backends, Block, Grant, Invocations, Opening, VisibleBackend},
    handles::{Invoker, Publisher, Secrets, State, Topics, Workflows},
    invocation::Invoke,
    pipeline::{BackendError, Calls},
    workflow::WorkflowEngine,
};
use arc_swap::ArcSwap;
use berth_resiliency::{BreakerStatus, Target};
use berth_resources::{AppId, ComponentType, Namespace};
use berth_telemetry::Tracing;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The building blocks of a host. Cheap to clone; all clones see the same backends.
#[derive(Clone, Default)]
pub struct Blocks(Arc<Shared>);

#[derive(Default)]
struct Shared {
    backends: ArcSwap<Backends>,
    invoke: OnceLock<Arc<dyn Invoke>>,
    tracing: Tracing,
    workflows: OnceLock<Arc<dyn WorkflowEngine>>,
}

/// A backend that an app may use, and what it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendDescription {
    /// Name of the document.
    pub name: String,
    /// `spec.type`.
    pub kind: ComponentType,
    /// `spec.version`.
    pub version: String,
    /// In Dapr's words, such as `TRANSACTIONAL`; none if it is not open.
    pub capabilities: Vec<&'static str>,
}

/// A backend as people see it in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendStatus {
    /// The tenant.
    pub namespace: Namespace,
    /// Name of the document.
    pub name: String,
    /// `spec.type`.
    pub kind: ComponentType,
    /// `spec.version`.
    pub version: String,
    /// Apps that may use it; empty: all of the namespace.
    pub scopes: Vec<AppId>,
    /// Whether it works.
    pub health: Health,
    /// Its circuit breakers, by direction and app.
    pub breakers: Vec<BreakerStatus>,
}

/// Whether a backend works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answered.
    Healthy,
    /// It is open, but did not answer; why.
    Unhealthy(String),
    /// It could not be opened; why.
    Failed(String),
}

/// How long a listing waits for one backend.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

impl Blocks {
    /// No backends, no invocation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces all backends. Calls that run keep the backend that they began with.
    pub fn swap(&self, backends: impl Into<Arc<Backends>>) {
        let backends = backends.into();
        self.0.tracing.configure(backends.traced());
        self.0.backends.store(backends);
    }

    /// The same host with other backends: for a guest that is asked something before its deployment is in service.
    #[must_use]
    pub fn preview(&self, backends: Arc<Backends>) -> Self {
        let shared = Shared {
            backends: ArcSwap::new(backends),
            invoke: self.0.invoke.clone(),
            tracing: self.0.tracing.clone(),
            workflows: self.0.workflows.clone(),
        };
        Self(Arc::new(shared))
    }

    /// Who records the spans of which app.
    #[must_use]
    pub fn tracing(&self) -> &Tracing {
        &self.0.tracing
    }

    /// Sets who carries invocations; the first one stays.
    pub fn set_invoke(&self, invoke: Arc<dyn Invoke>) {
        if self.0.invoke.set(invoke).is_err() {
            tracing::warn!("invocation is already connected; the second target is ignored");
        }
    }

    /// Sets who runs workflows; the first one stays.
    pub fn set_workflows(&self, engine: Arc<dyn WorkflowEngine>) {
        if self.0.workflows.set(engine).is_err() {
            tracing::warn!("workflows are already connected; the second engine is ignored");
        }
    }

    /// A state store, resolved at each call.
    #[must_use]
    pub fn state(&self, caller: &Arc<Caller>, store: &str) -> State {
        State::new(self.clone(), caller.clone(), store)
    }

    /// A pub/sub backend to publish to, resolved at each call.
    #[must_use]
    pub fn publisher(&self, caller: &Arc<Caller>, pubsub: &str) -> Publisher {
        Publisher::new(self.clone(), caller.clone(), pubsub)
    }

    /// A secret store, resolved at each call.
    #[must_use]
    pub fn secrets(&self, caller: &Arc<Caller>, store: &str) -> Secrets {
        Secrets::new(self.clone(), caller.clone(), store)
    }

    /// Calls to other apps.
    #[must_use]
    pub fn invoker(&self, caller: &Arc<Caller>) -> Invoker {
        Invoker::new(self.clone(), caller.clone())
    }

    /// Workflow instances.
    #[must_use]
    pub fn workflows(&self, caller: &Arc<Caller>) -> Workflows {
        Workflows::new(self.clone(), caller.clone())
    }

    /// The topics of a pub/sub backend as the people who run the host see them.
    #[must_use]
    pub fn topics(&self, namespace: &Namespace, pubsub: &str) -> Topics {
        Topics::new(self.clone(), namespace.clone(), pubsub)
    }

    /// What an app may use: for checks at deployment and for listings.
    #[must_use]
    pub fn visible(&self, namespace: &Namespace, app: &AppId) -> Vec<VisibleBackend> {
        self.0.backends.load().visible(namespace, app)
    }

    /// What an app may use and what each of it can do, for people and programs that ask.
    #[must_use]
    pub fn described(&self, namespace: &Namespace, app: &AppId) -> Vec<BackendDescription> {
        let listed = self.snapshot().list().into_iter();
        listed
            .filter(|backend| &backend.namespace == namespace && backend.visible_to(app))
            .map(|backend| BackendDescription {
                name: backend.name.to_string(),
                kind: backend.kind.clone(),
                version: backend.version.clone(),
                capabilities: backend.capabilities(app),
            })
            .collect()
    }

    /// Names of the services outside that an app may call, sorted.
    #[must_use]
    pub fn services_outside(&self, namespace: &Namespace, app: &AppId) -> Vec<String> {
        let services = |invoke: &Arc<dyn Invoke>| invoke.services_outside(namespace, app);
        self.invoke().map(services).unwrap_or_default()
    }

    /// Every backend and whether it works.
    pub async fn backends(&self) -> Vec<BackendStatus> {
        let snapshot = self.snapshot();
        let (listed, breakers) = (snapshot.list(), snapshot.resiliency().breakers());
        let all = listed.iter().map(|backend| status(backend, &breakers));
        futures::future::join_all(all).await
    }

    /// The circuit breakers for calls to apps, by namespace and called app.
    #[must_use]
    pub fn app_breakers(&self) -> Vec<BreakerStatus> {
        let mut breakers = self.snapshot().resiliency().breakers();
        breakers.retain(|own| !matches!(own.target, Target::Component { .. }));
        breakers
    }

    /// The backends of this moment.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Backends> {
        self.0.backends.load_full()
    }

    pub(crate) fn invoke(&self) -> Option<&Arc<dyn Invoke>> {
        self.0.invoke.get()
    }

    pub(crate) fn workflow_engine(&self) -> Option<&Arc<dyn WorkflowEngine>> {
        self.0.workflows.get()
    }

    pub(crate) fn workflow_calls(&self, namespace: &Namespace, app: &AppId) -> Arc<Calls> {
        self.0.backends.load().workflow_calls(namespace, app)
    }

    /// The calls that an app makes to other apps.
    pub(crate) fn invocations(&self, namespace: &Namespace, app: &AppId) -> Arc<Invocations> {
        self.0.backends.load().invocations(namespace, app)
    }

    /// What an app may do with a backend, or why it may not.
    pub(crate) fn grant<E: BackendError>(
        &self,
        namespace: &Namespace,
        app: &AppId,
        block: Block,
        name: &str,
    ) -> Result<Arc<Grant>, E> {
        let backends = self.0.backends.load();
        let grant = backends.grant(namespace, app, block, name).ok_or_else(|| {
            let visible = backends.names(namespace, app, block).join(", ");
            let noun = block.noun();
            let what =
                format!("app \"{app}\" sees no {noun} \"{name}\" in namespace \"{namespace}\"");
            if visible.is_empty() {
                E::not_configured(format!("{what} (visible: none)"))
            } else {
                E::not_found(format!("{what} (visible: {visible})"))
            }
        })?;
        match &grant.opened {
            Ok(_) => Ok(grant),
            Err(reason) => Err(E::unavailable(format!(
                "{} \"{name}\" is not open: {reason}",
                block.noun()
            ))),
        }
    }
}

async fn status(backend: &Backend, breakers: &[BreakerStatus]) -> BackendStatus {
    let health = match &backend.opening {
        Opening::Failed(reason) => Health::Failed(reason.to_string()),
        Opening::Shared(opened) => ping(std::slice::from_ref(opened)).await,
        Opening::PerApp(apps) => ping(&apps.values().cloned().collect::<Vec<_>>()).await,
    };
    BackendStatus {
        namespace: backend.namespace.clone(),
        name: backend.name.to_string(),
        kind: backend.kind.clone(),
        version: backend.version.clone(),
        scopes: backend.scopes.clone(),
        health,
        breakers: of_backend(breakers, backend),
    }
}

fn of_backend(breakers: &[BreakerStatus], backend: &Backend) -> Vec<BreakerStatus> {
    let is_own = |status: &&BreakerStatus| {
        let is_target =
            matches!(&status.target, Target::Component { name, .. } if **name == *backend.name);
        is_target && status.namespace == backend.namespace
    };
    breakers.iter().filter(is_own).cloned().collect()
}

async fn ping(all: &[crate::registry::Opened]) -> Health {
    let pings = async {
        for opened in all {
            if let Some(state) = &opened.state {
                state.ping().await.map_err(|error| error.to_string())?;
            }
            if let Some(pubsub) = &opened.pubsub {
                pubsub.ping().await.map_err(|error| error.to_string())?;
            }
            if let Some(secrets) = &opened.secrets {
                secrets.ping().await.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    };
    match tokio::time::timeout(PING_TIMEOUT, pings).await {
        Ok(Ok(())) => Health::Healthy,
        Ok(Err(reason)) => Health::Unhealthy(reason),
        Err(_) => Health::Unhealthy(format!("no answer within {PING_TIMEOUT:?}")),
    }
}
