//! Open backends and what each app may do with them.

use crate::{
    keys::KeyPrefix,
    open::{EmbeddedWorkflows, OpenedFrom},
    pipeline::Calls,
    pubsub::{PubSub, PubSubError},
    registry::{InputFile, Opened},
    scopes::{SecretRules, TopicRules},
    workflow::WorkflowStore,
};
use berth_resiliency::{AppPolicies, ComponentKind, Direction, Policy, Resiliencies};
use berth_resources::{AppId, ComponentType, Namespace, SecretScope};
use berth_telemetry::TracedApp;
use parking_lot::RwLock;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// The building block that a backend serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Block {
    /// `state.*`
    State,
    /// `pubsub.*`
    PubSub,
    /// `secretstores.*`
    Secrets,
    /// Calls between apps: no document, served by the host itself.
    Invocation,
    /// Durable workflows: no document of its own, kept in a state store.
    Workflow,
}

impl Block {
    /// The block of a type such as `state.redis`; `None` for a block that berth does not have.
    #[must_use]
    pub fn of(kind: &ComponentType) -> Option<Self> {
        match kind.block() {
            "state" => Some(Self::State),
            "pubsub" => Some(Self::PubSub),
            "secretstores" => Some(Self::Secrets),
            _ => None,
        }
    }

    /// As the names of default resiliency policies call it; `None` for a block without backends.
    fn component_kind(self) -> Option<ComponentKind> {
        match self {
            Self::State => Some(ComponentKind::Statestore),
            Self::PubSub => Some(ComponentKind::Pubsub),
            Self::Secrets => Some(ComponentKind::Secretstore),
            Self::Invocation | Self::Workflow => None,
        }
    }

    /// What messages call a backend of this block.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::State => "state store",
            Self::PubSub => "pub/sub backend",
            Self::Secrets => "secret store",
            Self::Invocation => "invocation of",
            Self::Workflow => "workflow engine",
        }
    }
}

/// Why a backend that is listed cannot be used.
pub type Failure = Arc<str>;

/// A backend that an app may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibleBackend {
    /// Name of the document.
    pub name: String,
    /// `spec.type`.
    pub kind: ComponentType,
    /// The building block.
    pub block: Block,
}

/// What stands behind a backend.
#[derive(Clone)]
pub enum Opening {
    /// One for all apps.
    Shared(Opened),
    /// One for each app, since its metadata names the app.
    PerApp(BTreeMap<AppId, Opened>),
    /// Could not be opened, and `ignoreErrors` lets the host run without it.
    Failed(Failure),
}

impl Opening {
    /// The connection of an app, or the one that all share.
    pub(crate) fn instance(&self, app: Option<&AppId>) -> Option<Opened> {
        match (self, app) {
            (Self::Shared(opened), None) => Some(opened.clone()),
            (Self::PerApp(apps), Some(app)) => apps.get(app).cloned(),
            _ => None,
        }
    }

    /// Every connection.
    fn all(&self) -> Vec<&Opened> {
        match self {
            Self::Shared(opened) => vec![opened],
            Self::PerApp(apps) => apps.values().collect(),
            Self::Failed(_) => Vec::new(),
        }
    }

    fn of(&self, app: &AppId) -> Result<Opened, Failure> {
        match self {
            Self::Shared(opened) => Ok(opened.clone()),
            Self::PerApp(apps) => apps
                .get(app)
                .cloned()
                .ok_or_else(|| format!("not opened for app \"{app}\"").into()),
            Self::Failed(reason) => Err(reason.clone()),
        }
    }
}

/// A configured backend: what is open, and the rules of its document.
pub struct Backend {
    /// `metadata.name` of the document.
    pub name: Arc<str>,
    /// The tenant.
    pub namespace: Namespace,
    /// `spec.type`.
    pub kind: ComponentType,
    /// `spec.version`.
    pub version: String,
    /// Apps that may use it; empty: all of the namespace.
    pub scopes: Vec<AppId>,
    /// How keys are told apart between apps.
    pub key_prefix: KeyPrefix,
    /// `actorStateStore`: it keeps the workflow instances of its namespace.
    pub keeps_workflows: bool,
    /// Which app may use which topic.
    pub topics: TopicRules,
    /// `consumerID`; absent: the app ID.
    pub consumer_id: Option<String>,
    /// What stands before every topic on the wire.
    pub topic_prefix: String,
    /// The open connection.
    pub opening: Opening,
    /// What it was opened from.
    pub(crate) opened_from: OpenedFrom,
}

impl Backend {
    /// A backend with no rules of its own, open to every app of the namespace.
    #[must_use]
    pub fn open_to_all(name: &str, namespace: Namespace, kind: &str, opened: Opened) -> Self {
        Self {
            name: name.into(),
            namespace,
            kind: ComponentType(kind.to_owned()),
            version: "v1".to_owned(),
            scopes: Vec::new(),
            key_prefix: KeyPrefix::AppId,
            keeps_workflows: false,
            topics: TopicRules::default(),
            consumer_id: None,
            topic_prefix: String::new(),
            opening: Opening::Shared(opened),
            opened_from: OpenedFrom::default(),
        }
    }

    /// What it can do for an app, in Dapr's words.
    pub(crate) fn capabilities(&self, app: &AppId) -> Vec<&'static str> {
        let Ok(opened) = self.opening.of(app) else {
            return Vec::new();
        };
        let state = opened.state.map(|state| state.capabilities().names());
        let pubsub = opened.pubsub.map(|pubsub| pubsub.capabilities().names());
        state.into_iter().chain(pubsub).flatten().collect()
    }

    /// Whether an app of the same namespace may use it.
    #[must_use]
    pub fn visible_to(&self, app: &AppId) -> bool {
        self.scopes.is_empty() || self.scopes.contains(app)
    }
}

/// The backend that keeps the workflow instances of a namespace.
#[derive(Clone)]
pub struct WorkflowBackend {
    /// `metadata.name` of its document; of the embedded one, the name that its document would have.
    pub name: Arc<str>,
    /// `spec.type`.
    pub kind: ComponentType,
    /// Where the instances lie. The same over a reload as long as its document stays the same.
    pub store: Arc<dyn WorkflowStore>,
    scopes: Vec<AppId>,
}

impl WorkflowBackend {
    /// The store of a backend.
    ///
    /// # Errors
    /// It is not open, or keeps no workflows.
    pub(crate) fn of(backend: &Backend) -> Result<Self, Failure> {
        let opened = match &backend.opening {
            Opening::Failed(reason) => return Err(reason.clone()),
            opening => opening.instance(None),
        };
        let store = opened
            .and_then(|opened| opened.workflows)
            .ok_or_else(|| Failure::from(format!("{} keeps no workflows", backend.kind.0)))?;
        Ok(Self {
            name: backend.name.clone(),
            kind: backend.kind.clone(),
            store,
            scopes: backend.scopes.clone(),
        })
    }

    /// Whether it is the same store, open to the same apps.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store) && self.scopes == other.scopes
    }

    /// Whether the workflows of an app of the namespace may lie here: its document names no scopes, or this app.
    #[must_use]
    pub fn visible_to(&self, app: &AppId) -> bool {
        self.scopes.is_empty() || self.scopes.contains(app)
    }
}

impl std::fmt::Debug for WorkflowBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkflowBackend")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A backend as an app sees it: every rule is evaluated once, when the app first uses it.
pub(crate) struct Grant {
    pub(crate) opened: Result<Opened, Failure>,
    /// `<app>||`, or empty.
    pub(crate) key_prefix: String,
    pub(crate) topics: TopicRules,
    pub(crate) topic_prefix: String,
    /// Consumer group of the app.
    pub(crate) group: String,
    pub(crate) secrets: SecretRules,
    pub(crate) calls: Calls,
    /// Resiliency of calls to the backend.
    pub(crate) outbound: Option<Arc<Policy>>,
    /// Resiliency of deliveries from it.
    pub(crate) inbound: Option<Arc<Policy>>,
}

/// Other apps as an app sees them: the counterpart of a [`Grant`].
pub(crate) struct Invocations {
    pub(crate) calls: Calls,
    pub(crate) policies: AppPolicies,
}

impl Grant {
    /// The broker; the caller has seen that the backend is open.
    pub(crate) fn broker(&self) -> Result<&Arc<dyn PubSub>, PubSubError> {
        let opened = self
            .opened
            .as_ref()
            .ok()
            .and_then(|opened| opened.pubsub.as_ref());
        opened.ok_or_else(|| {
            PubSubError::Unavailable(format!("\"{}\" serves no topics", self.calls.backend))
        })
    }
}

/// A backend and the grants made of it. Grants are as many as the namespace has apps.
struct Listed {
    backend: Arc<Backend>,
    grants: RwLock<HashMap<AppId, Arc<Grant>>>,
}

/// An immutable set of backends: replaced whole, so that a call sees either the old or the new one.
#[derive(Default)]
pub struct Backends {
    namespaces: HashMap<Namespace, BTreeMap<Arc<str>, Listed>>,
    secret_scopes: HashMap<Namespace, HashMap<AppId, Vec<SecretScope>>>,
    resiliency: Resiliencies,
    traced: Vec<TracedApp>,
    /// By namespace and app that calls: as many as there are apps.
    invocations: RwLock<HashMap<Namespace, HashMap<AppId, Arc<Invocations>>>>,
    workflow_calls: RwLock<HashMap<Namespace, HashMap<AppId, Arc<Calls>>>>,
    /// For namespaces whose documents choose no store of workflows. Kept over a reload.
    pub(crate) embedded_workflows: Option<Arc<EmbeddedWorkflows>>,
}

impl Backends {
    /// Adds a backend; one of the same name in the same namespace is replaced.
    pub fn insert(&mut self, backend: Backend) {
        let names = self
            .namespaces
            .entry(backend.namespace.clone())
            .or_default();
        let listed = Listed {
            grants: RwLock::default(),
            backend: Arc::new(backend),
        };
        names.insert(listed.backend.name.clone(), listed);
    }

    /// Sets what the configuration of an app says about secrets.
    pub fn restrict_secrets(&mut self, namespace: Namespace, app: AppId, scopes: Vec<SecretScope>) {
        self.secret_scopes
            .entry(namespace)
            .or_default()
            .insert(app, scopes);
    }

    /// Sets how the spans of an app are recorded.
    pub fn trace(&mut self, app: TracedApp) {
        self.traced.push(app);
    }

    /// The apps whose spans are recorded.
    pub(crate) fn traced(&self) -> &[TracedApp] {
        &self.traced
    }

    /// Sets the resiliency policies. They count from the next call; calls under way keep those that they began with.
    pub fn govern(&mut self, resiliency: Resiliencies) {
        self.resiliency = resiliency;
    }

    /// The resiliency policies.
    #[must_use]
    pub fn resiliency(&self) -> &Resiliencies {
        &self.resiliency
    }

    /// All backends, by namespace and name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Backend>> {
        let mut all: Vec<_> = self
            .namespaces
            .values()
            .flat_map(BTreeMap::values)
            .map(|listed| listed.backend.clone())
            .collect();
        all.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        all
    }

    /// A backend by its name.
    #[must_use]
    pub fn find(&self, namespace: &Namespace, name: &str) -> Option<&Arc<Backend>> {
        Some(&self.namespaces.get(namespace)?.get(name)?.backend)
    }

    /// What an app may use: for checks at deployment and for listings.
    #[must_use]
    pub fn visible(&self, namespace: &Namespace, app: &AppId) -> Vec<VisibleBackend> {
        let visible = self
            .list()
            .into_iter()
            .filter(|backend| &backend.namespace == namespace && backend.visible_to(app));
        visible
            .filter_map(|backend| {
                Some(VisibleBackend {
                    name: backend.name.to_string(),
                    kind: backend.kind.clone(),
                    block: Block::of(&backend.kind)?,
                })
            })
            .collect()
    }

    /// Backends that could not be opened, by namespace and name.
    #[must_use]
    pub fn failed(&self) -> Vec<Arc<Backend>> {
        let mut all = self.list();
        all.retain(|backend| matches!(backend.opening, Opening::Failed(_)));
        all
    }

    /// Files that were read to open the backends.
    #[must_use]
    pub fn files(&self) -> Vec<InputFile> {
        let of = |backend: &Arc<Backend>| {
            let opened = backend.opening.all().into_iter();
            opened
                .flat_map(|opened| opened.files.clone())
                .collect::<Vec<_>>()
        };
        self.list().iter().flat_map(of).collect()
    }

    /// Names of the backends of a block that an app may use.
    pub(crate) fn names(&self, namespace: &Namespace, app: &AppId, block: Block) -> Vec<Arc<str>> {
        let listed = self
            .namespaces
            .get(namespace)
            .into_iter()
            .flat_map(BTreeMap::values);
        listed
            .map(|listed| &listed.backend)
            .filter(|backend| Block::of(&backend.kind) == Some(block) && backend.visible_to(app))
            .map(|backend| backend.name.clone())
            .collect()
    }

    /// What an app may do with a backend; `None`: not visible.
    pub(crate) fn grant(
        &self,
        namespace: &Namespace,
        app: &AppId,
        block: Block,
        name: &str,
    ) -> Option<Arc<Grant>> {
        let listed = self.namespaces.get(namespace)?.get(name)?;
        if let Some(grant) = listed.grants.read().get(app)
            && grant.calls.block == block
        {
            return Some(grant.clone());
        }
        let backend = &listed.backend;
        if Block::of(&backend.kind) != Some(block) || !backend.visible_to(app) {
            return None;
        }
        let grant = Arc::new(self.evaluate(backend, app, block));
        listed.grants.write().insert(app.clone(), grant.clone());
        Some(grant)
    }

    /// The calls that an app makes to other apps.
    pub(crate) fn invocations(&self, namespace: &Namespace, app: &AppId) -> Arc<Invocations> {
        let known = |all: &HashMap<Namespace, HashMap<AppId, Arc<Invocations>>>| {
            all.get(namespace)?.get(app).cloned()
        };
        if let Some(known) = known(&self.invocations.read()) {
            return known;
        }
        let new = Arc::new(Invocations {
            calls: Calls::new(Block::Invocation, namespace, app, "apps", "invocation"),
            policies: self.resiliency.invocation(namespace, app),
        });
        let mut all = self.invocations.write();
        let apps = all.entry(namespace.clone()).or_default();
        apps.entry(app.clone()).or_insert(new).clone()
    }

    /// The calls that an app makes to workflows.
    pub(crate) fn workflow_calls(&self, namespace: &Namespace, app: &AppId) -> Arc<Calls> {
        let mut all = self.workflow_calls.write();
        let apps = all.entry(namespace.clone()).or_default();
        let new = || {
            Arc::new(Calls::new(
                Block::Workflow,
                namespace,
                app,
                "workflows",
                "workflow",
            ))
        };
        apps.entry(app.clone()).or_insert_with(new).clone()
    }

    /// The backend that keeps the workflow instances of a namespace: the one with `actorStateStore: "true"`, else the
    /// embedded one, which is opened when it is first asked for. Among backends that no documents were opened for, the
    /// first that can.
    ///
    /// # Errors
    /// It is not open; the text says why.
    pub async fn workflow_backend(
        &self,
        namespace: &Namespace,
    ) -> Result<WorkflowBackend, Failure> {
        let own = self.namespaces.get(namespace);
        let own = || own.into_iter().flat_map(BTreeMap::values);
        if let Some(chosen) = own().find(|listed| listed.backend.keeps_workflows) {
            return WorkflowBackend::of(&chosen.backend);
        }
        if let Some(embedded) = &self.embedded_workflows {
            return embedded.backend(namespace).await;
        }
        let mut able = own().filter_map(|listed| WorkflowBackend::of(&listed.backend).ok());
        able.next().ok_or_else(|| {
            format!("no state store of namespace \"{namespace}\" keeps workflows").into()
        })
    }

    fn evaluate(&self, backend: &Backend, app: &AppId, block: Block) -> Grant {
        let namespace = &backend.namespace;
        let scopes = self
            .secret_scopes
            .get(namespace)
            .and_then(|apps| apps.get(app));
        let policy = |direction| {
            let component = (&*backend.name, block.component_kind()?);
            self.resiliency
                .component(namespace, app, component, direction)
        };
        Grant {
            opened: backend.opening.of(app),
            key_prefix: backend.key_prefix.of(namespace, app, &backend.name),
            topics: backend.topics.clone(),
            topic_prefix: backend.topic_prefix.clone(),
            group: backend.consumer_id.as_ref().map_or_else(
                || app.to_string(),
                |id| crate::open::templates::expand_app(id, namespace, app),
            ),
            secrets: SecretRules::new(scopes.map_or(&[][..], Vec::as_slice), &backend.name),
            calls: Calls::new(block, namespace, app, &backend.name, &backend.kind.0),
            outbound: policy(Direction::Outbound),
            // Only brokers deliver.
            inbound: (block == Block::PubSub)
                .then(|| policy(Direction::Inbound))
                .flatten(),
        }
    }
}
