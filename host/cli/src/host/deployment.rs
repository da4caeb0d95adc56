//! A deployment: backends open, guests loaded, routes and subscriptions known, nothing of it in use yet.

use super::{
    Documents, Settings,
    fleet::{Change, Fleet},
    guests::{self, LoadedGuest},
    workflows,
};
use crate::failure::Failure;
use berth_blocks::{
    Backends, Blocks, OpenPlan, PlannedSubscription,
    invocation::Target,
    open,
    registry::{Connections, Registry},
};
use berth_gateway::ingress::{ExposedApp, RouteTable};
use berth_resources::{App, AppId, Component, Diagnostic, Namespace, Resources, Severity};
use berth_runtime::{LoadedApp, Runtime};
use berth_workflow::Engines;
use std::sync::Arc;

/// What deployments are made with. Lives as long as the host.
pub struct Workshop {
    pub settings: Settings,
    pub registry: Registry,
    pub blocks: Blocks,
    pub runtime: Arc<Runtime>,
    pub connections: Connections,
    /// Other hosts, and services outside.
    pub fleet: Fleet,
    /// Workflows, an engine for each namespace that has any.
    pub engines: Arc<Engines>,
    /// Who calls through Dapr's API: apps of documents, and native programs.
    pub callers: Vec<Target>,
}

/// What is in service, or about to be.
pub struct Deployment {
    pub documents: Documents,
    pub guests: Vec<LoadedGuest>,
    pub plan: Vec<PlannedSubscription>,
}

/// Ready to be put into service as a whole.
pub struct Prepared {
    pub deployment: Deployment,
    pub backends: Arc<Backends>,
    pub routes: RouteTable,
    pub fleet: Change,
}

impl Deployment {
    /// The apps, for the runtime.
    pub fn apps(&self) -> Vec<LoadedApp> {
        self.guests
            .iter()
            .map(|guest| guest.deployable.loaded.clone())
            .collect()
    }

    /// Who they are.
    pub fn targets(&self) -> Vec<Target> {
        self.guests.iter().map(LoadedGuest::target).collect()
    }

    /// The components, and whether each is an embedded default.
    pub fn components(&self) -> impl Iterator<Item = (&Component, bool)> {
        let components = &self.documents.resources.components;
        let written = components.len() - self.documents.defaults;
        components
            .iter()
            .enumerate()
            .map(move |(at, component)| (component, at >= written))
    }
}

impl Workshop {
    /// Prepares a deployment. Backends and guests of `before` that are unchanged are used again; nothing that serves is
    /// touched.
    pub async fn prepare(
        &self,
        documents: Documents,
        before: Option<&Deployment>,
    ) -> Result<Prepared, Failure> {
        let backends = Arc::new(self.open(&documents.resources).await?);
        let present: Vec<_> = before.map(Deployment::targets).unwrap_or_default();
        let fleet = self
            .fleet
            .prepare(&documents.resources, &backends, &self.callers, &present)
            .await?;
        self.load(documents, backends, fleet, before).await
    }

    /// Opens the backends of documents; those that are open and unchanged are used again.
    pub async fn open(&self, resources: &Resources) -> Result<Backends, Failure> {
        let former = self.blocks.snapshot();
        let plan = OpenPlan {
            data_dir: self.settings.data_dir.clone(),
            connections: self.connections.clone(),
            apps: resources.apps.clone(),
            native: self.native(&resources.apps),
            configurations: resources.configurations.clone(),
            resiliencies: resources.resiliencies.clone(),
        };
        let (backends, findings) =
            open(&resources.components, &self.registry, &plan, Some(&former)).await;
        if has_errors(&findings) {
            return Err(Failure::Backends(findings));
        }
        for finding in findings {
            tracing::warn!(place = %finding.origin, "{}", finding.message);
        }
        Ok(backends)
    }

    /// Tells the engines what documents say about workflows.
    pub fn set_workflow_limits(&self, resources: &Resources) {
        self.engines.set_limits(workflows::limits(resources).0);
    }

    /// Callers that have no guest now: a changed document may give them one.
    fn native(&self, apps: &[App]) -> Vec<(Namespace, AppId)> {
        let has_guest = |caller: &Target| {
            let same = |app: &App| app.namespace == caller.namespace && app.id == caller.app;
            apps.iter().any(same)
        };
        let callers = self.callers.iter().filter(|caller| !has_guest(caller));
        let mut native: Vec<_> = callers
            .map(|caller| (caller.namespace.clone(), caller.app.clone()))
            .collect();
        native.sort();
        native.dedup();
        native
    }

    async fn load(
        &self,
        documents: Documents,
        backends: Arc<Backends>,
        fleet: Change,
        before: Option<&Deployment>,
    ) -> Result<Prepared, Failure> {
        let apps = &documents.resources.apps;
        let known = before.map_or(&[][..], |before| &before.guests);
        let guests = guests::load_all(&self.runtime, &backends, apps, known)
            .await
            .map_err(Failure::Findings)?;
        let (mut exposed, mut plan) = (Vec::new(), Vec::new());
        for guest in &guests {
            let own = guest.deployable.plan(&documents.resources.subscriptions);
            exposed.push(ExposedApp {
                target: guest.target(),
                http: guest.app().http.clone(),
                private_paths: guest.deployable.private_paths(&own),
            });
            plan.extend(own);
        }
        let routes = RouteTable::new(exposed).map_err(|conflicts| {
            let texts: Vec<_> = conflicts.iter().map(ToString::to_string).collect();
            Failure::input_text(texts.join("; "))
        })?;
        let deployment = Deployment {
            documents,
            guests,
            plan,
        };
        Ok(Prepared {
            deployment,
            backends,
            routes,
            fleet,
        })
    }
}

fn has_errors(findings: &[Diagnostic]) -> bool {
    findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
}
