//! One run of opening: what is open already, what was found.

use super::{
    OpenPlan, check, error, order, resolve, rules, secrets, secrets::ReferencedSecrets, sharing,
    workflows,
};
use crate::{
    backend::{Backend, Backends, Block, Opening as State},
    registry::{Driver, Metadata, OpenContext, OpenError, Opened, Registry},
};
use berth_resiliency::Resiliencies;
use berth_resources::{
    AppId, Component, Diagnostic, MetadataItem, MetadataValue, Namespace, Severity, Tracing,
};
use berth_telemetry::TracedApp;
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// What a backend may take beyond `initTimeout`: drivers whose own patience is as long say what they waited for.
const GRACE: Duration = Duration::from_millis(500);

pub(super) struct Opening<'o> {
    components: &'o [Component],
    registry: &'o Registry,
    plan: &'o OpenPlan,
    before: Option<&'o Backends>,
    opened: Backends,
    /// `spec.tracing` with its secrets, in the order of the plan's configurations.
    tracing: Vec<Option<Tracing>>,
    findings: Vec<Diagnostic>,
}

/// What one backend was opened from: equal values need no new connection.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct OpenedFrom {
    pub(super) kind: String,
    pub(super) version: String,
    /// By app; `None`: shared by all.
    pub(super) values: BTreeMap<Option<AppId>, Metadata>,
}

impl OpenedFrom {
    /// Whether any value was given that could name an engine.
    pub(super) fn names_an_engine(&self) -> bool {
        self.values.values().any(|values| !values.is_empty())
    }
}

/// A document that is opened, or why it is not.
type Outcome = Result<Backend, Vec<Diagnostic>>;

impl<'o> Opening<'o> {
    pub(super) fn new(
        components: &'o [Component],
        registry: &'o Registry,
        plan: &'o OpenPlan,
        before: Option<&'o Backends>,
    ) -> Self {
        Self {
            components,
            registry,
            plan,
            before,
            opened: Backends::default(),
            tracing: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn of(&self, wanted: impl Fn(Option<Block>) -> bool) -> Vec<&'o Component> {
        self.components
            .iter()
            .filter(|component| wanted(Block::of(&component.kind)))
            .collect()
    }

    /// Opens the secret stores, those first that others refer to.
    pub(super) async fn secret_stores(&mut self) {
        let mut waiting = self.of(|block| block == Some(Block::Secrets));
        while !waiting.is_empty() {
            let (ready, blocked) = order::ready(waiting, self.components);
            if ready.is_empty() {
                let names: Vec<_> = blocked
                    .iter()
                    .map(|component| format!("`{}`", component.name))
                    .collect();
                let message = format!(
                    "secret stores that refer to each other: {}",
                    names.join(", ")
                );
                self.findings.extend(
                    blocked
                        .iter()
                        .map(|component| error(&component.origin, message.clone())),
                );
                return;
            }
            self.all_at_once(&ready).await;
            waiting = blocked;
        }
    }

    /// Opens everything else; the secret stores are open.
    pub(super) async fn others(&mut self) {
        let others = self.of(|block| block != Some(Block::Secrets));
        self.all_at_once(&others).await;
    }

    /// Reads the secrets of everything else, and opens nothing.
    pub(super) async fn resolve_others(&mut self) {
        for component in self.of(|block| block != Some(Block::Secrets)) {
            let fetched = self.fetch(component).await;
            self.findings.extend(fetched.err().into_iter().flatten());
        }
    }

    /// Reads the secrets that configurations refer to.
    pub(super) async fn resolve_tracing(&mut self) {
        for configuration in &self.plan.configurations {
            let tracing = match &configuration.tracing {
                Some(tracing) => match self.with_secrets(&configuration.namespace, tracing).await {
                    Ok(whole) => Some(whole),
                    Err(findings) => {
                        self.findings.extend(findings);
                        None
                    }
                },
                None => None,
            };
            self.tracing.push(tracing);
        }
    }

    async fn with_secrets(
        &self,
        namespace: &Namespace,
        tracing: &Tracing,
    ) -> Result<Tracing, Vec<Diagnostic>> {
        let referrer = secrets::Referrer {
            namespace,
            secret_store: None,
            component: None,
            noun: "tracing",
            items: tracing.references.iter().collect(),
        };
        let read = ReferencedSecrets::read(&referrer, self.components, &self.opened).await?;
        let whole = tracing.with_secrets(|item| match &item.value {
            MetadataValue::SecretRef { name, key } => read.get(name, key),
            MetadataValue::Plain(_) | MetadataValue::Env(_) => None,
        });
        whole.map_err(|finding| vec![finding])
    }

    pub(super) fn finish(mut self) -> (Backends, Vec<Diagnostic>) {
        self.findings.extend(sharing::check(
            self.components,
            &self.opened,
            &self.plan.callers().collect::<Vec<_>>(),
        ));
        self.findings
            .extend(workflows::check_opened(self.components, &self.opened));
        for (namespace, app) in &self.plan.native {
            self.configure(namespace, app, None);
        }
        for app in &self.plan.apps {
            self.configure(&app.namespace, &app.id, app.configuration.as_deref());
        }
        self.govern();
        let before = self
            .before
            .and_then(|before| before.embedded_workflows.clone());
        let embedded = before.unwrap_or_else(|| {
            Arc::new(workflows::EmbeddedWorkflows::new(self.registry, self.plan))
        });
        self.opened.embedded_workflows = Some(embedded);
        self.findings.sort();
        (self.opened, self.findings)
    }

    /// Applies the resiliency documents.
    fn govern(&mut self) {
        let before = self.before.map(Backends::resiliency);
        let callers: HashSet<_> = self.plan.callers().collect();
        let is_app = |namespace: &Namespace, app: &AppId| callers.contains(&(namespace, app));
        let documents = self.plan.resiliencies.clone();
        self.opened
            .govern(Resiliencies::new(documents, before, is_app));
    }

    /// Applies the configuration that an app names, or the one for those that name none.
    fn configure(&mut self, namespace: &Namespace, app: &AppId, named: Option<&str>) {
        let own = self.plan.configurations.iter().zip(&self.tracing);
        let mut own = own.filter(|(own, _)| own.namespace == *namespace);
        let configuration = match named {
            Some(name) => own.find(|(own, _)| own.name == name),
            None => own.find(|(own, _)| own.by_default),
        };
        if let Some((configuration, tracing)) = configuration {
            let scopes = configuration.secret_scopes.clone();
            self.opened
                .restrict_secrets(namespace.clone(), app.clone(), scopes);
            if let Some(tracing) = tracing {
                self.opened.trace(TracedApp {
                    namespace: namespace.clone(),
                    app: app.clone(),
                    configuration: configuration.name.clone(),
                    tracing: tracing.clone(),
                });
            }
        }
    }

    async fn all_at_once(&mut self, components: &[&'o Component]) {
        let outcomes =
            futures::future::join_all(components.iter().map(|component| self.one(component))).await;
        for (component, outcome) in components.iter().zip(outcomes) {
            match outcome {
                Ok(backend) => self.opened.insert(backend),
                Err(findings) if component.ignore_errors => {
                    let reasons: Vec<_> = findings
                        .iter()
                        .map(|finding| finding.message.as_str())
                        .collect();
                    self.opened.insert(failed(component, reasons.join("; ")));
                    let ignored = findings.into_iter().map(|finding| Diagnostic {
                        severity: Severity::Warning,
                        hint: Some(
                            "`ignoreErrors` lets the host run without this backend".to_owned(),
                        ),
                        ..finding
                    });
                    self.findings.extend(ignored);
                }
                Err(findings) => self.findings.extend(findings),
            }
        }
    }

    async fn one(&self, component: &Component) -> Outcome {
        let driver = check::driver(component, self.registry).map_err(|finding| vec![finding])?;
        let fetched = self.fetch(component).await?;
        let parts = resolve::with_secrets(component, driver, &fetched);
        let from = self.opened_from(component, driver, &parts);
        let mut backend = Backend::open_to_all(
            &component.name,
            component.namespace.clone(),
            driver.kind,
            Opened::default(),
        );
        backend.version.clone_from(&component.version);
        backend.scopes.clone_from(&component.scopes);
        backend.topic_prefix = resolve::topic_prefix(component);
        rules::apply(&parts.rules, &mut backend).map_err(|(field, message)| {
            let item = resolve::item(component, field);
            vec![at(
                component,
                item,
                format!("metadata `{field}`: {message}"),
            )]
        })?;
        backend.opening = self
            .state(component, driver, &from)
            .await
            .map_err(|finding| vec![finding])?;
        backend.opened_from = from;
        Ok(backend)
    }

    /// Secrets of a document, within the time that it may take to open.
    async fn fetch(&self, component: &Component) -> Result<resolve::Fetched, Vec<Diagnostic>> {
        let referrer = component.into();
        let fetch = secrets::fetch(&referrer, self.components, &self.opened);
        let timeout = component.init_timeout;
        tokio::time::timeout(timeout, fetch)
            .await
            .unwrap_or_else(|_| {
                let message = format!(
                    "backend \"{}\": its secret store did not answer within {timeout:?}",
                    component.name
                );
                Err(vec![error(&component.origin, message)])
            })
    }

    fn opened_from(
        &self,
        component: &Component,
        driver: &Driver,
        parts: &resolve::Parts,
    ) -> OpenedFrom {
        let namespace = &component.namespace;
        let own = self.plan.callers().filter(|(tenant, app)| {
            *tenant == namespace && (component.scopes.is_empty() || component.scopes.contains(app))
        });
        let values = if resolve::per_app(parts) {
            own.map(|(_, app)| {
                (
                    Some(app.clone()),
                    resolve::expanded(parts, namespace, Some(app)),
                )
            })
            .collect()
        } else {
            BTreeMap::from([(None, resolve::expanded(parts, namespace, None))])
        };
        OpenedFrom {
            kind: driver.kind.to_owned(),
            version: component.version.clone(),
            values,
        }
    }

    /// The open connections: those of before where nothing changed, new ones else.
    async fn state(
        &self,
        component: &Component,
        driver: &Driver,
        from: &OpenedFrom,
    ) -> Result<State, Diagnostic> {
        let before = self
            .before
            .and_then(|before| before.find(&component.namespace, &component.name));
        let before = before.filter(|before| before.opened_from.kind == from.kind);
        let before = before.filter(|before| before.opened_from.version == from.version);
        let mut apps = BTreeMap::new();
        for (app, values) in &from.values {
            let kept = before.filter(|before| before.opened_from.values.get(app) == Some(values));
            let kept = kept.and_then(|before| before.opening.instance(app.as_ref()));
            let kept = kept.filter(Opened::is_current);
            let opened = match kept {
                Some(opened) => opened,
                None => {
                    self.connect(component, driver, app.as_ref(), values.clone())
                        .await?
                }
            };
            match app {
                None => return Ok(State::Shared(opened)),
                Some(app) => drop(apps.insert(app.clone(), opened)),
            }
        }
        Ok(State::PerApp(apps))
    }

    async fn connect(
        &self,
        component: &Component,
        driver: &Driver,
        app: Option<&AppId>,
        values: Metadata,
    ) -> Result<Opened, Diagnostic> {
        let data_dir = self.plan.data_dir.join(component.namespace.as_str());
        let what = format!("opening backend \"{}\" ({})", component.name, driver.kind);
        std::fs::create_dir_all(&data_dir).map_err(|cause| {
            let message = format!(
                "{what}: creating the directory {}: {cause}",
                data_dir.display()
            );
            error(&component.origin, message)
        })?;
        let context = OpenContext {
            name: component.name.clone(),
            namespace: component.namespace.clone(),
            data_dir,
            apps: app.into_iter().cloned().collect(),
            connections: self.plan.connections.clone(),
        };
        let patience = component.init_timeout + GRACE;
        match tokio::time::timeout(patience, (driver.open)(context, values)).await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(OpenError::Metadata { field, message })) => Err(at(
                component,
                resolve::field(component, driver, &field),
                format!("{what}: metadata `{field}`: {message}"),
            )),
            Ok(Err(OpenError::Backend(message))) => {
                Err(error(&component.origin, format!("{what}: {message}")))
            }
            Err(_) => Err(Diagnostic {
                hint: Some("`initTimeout` allows more time".to_owned()),
                ..error(
                    &component.origin,
                    format!("{what}: not done within {:?}", component.init_timeout),
                )
            }),
        }
    }
}

/// At an entry, or at the document if it has no such entry.
fn at(component: &Component, item: Option<&MetadataItem>, message: String) -> Diagnostic {
    error(item.map_or(&component.origin, |item| &item.origin), message)
}

/// A backend that is listed with its reason and answers nothing.
fn failed(component: &Component, reason: String) -> Backend {
    let mut backend = Backend::open_to_all(
        &component.name,
        component.namespace.clone(),
        &component.kind.0,
        Opened::default(),
    );
    backend.version.clone_from(&component.version);
    backend.scopes.clone_from(&component.scopes);
    // Nobody else keeps its workflows meanwhile.
    backend.keeps_workflows = workflows::is_chosen(component);
    backend.opening = State::Failed(Arc::from(reason));
    backend
}
