//! The documents of a deployment, checked as far as that goes without opening anything.

use super::{Sources, fleet::Agreed, workflows};
use crate::failure::Failure;
use anyhow::Context;
use berth_blocks::{
    Block, OpenPlan, check, check_secrets, embedded_defaults,
    registry::{Connections, Registry},
};
use berth_resources::{
    Component, Diagnostic, LoadOptions, Namespace, Resources, Severity, Subscription, did_you_mean,
    load,
};
use std::collections::BTreeSet;

/// What was read, and what is wrong with it.
pub struct Documents {
    /// Documents and embedded defaults.
    pub resources: Resources,
    /// How many components, at the end of the list, are embedded defaults.
    pub defaults: usize,
    /// Everything that was found, sorted by place.
    pub findings: Vec<Diagnostic>,
}

impl Documents {
    /// Reads and checks all sources. Without an error among the findings the documents can be deployed.
    pub fn read(sources: &Sources, registry: &Registry) -> Self {
        let options = LoadOptions {
            namespace: sources.namespace.clone(),
            known_apps: sources.known_apps.clone(),
            ..LoadOptions::default()
        };
        let loaded = load(&sources.list, &options);
        let mut resources = loaded.resources;
        let mut findings = loaded.diagnostics;
        findings.extend(check(&resources.components, registry));
        findings.extend(Agreed::of(&resources).err().into_iter().flatten());
        findings.extend(workflows::limits(&resources).1);
        let written = resources.components.len();
        for namespace in namespaces(&resources, &sources.namespace) {
            let defaults = embedded_defaults(&namespace, &resources.components);
            resources.components.extend(defaults);
        }
        let unserved = resources
            .subscriptions
            .iter()
            .filter_map(|subscription| unserved(subscription, &resources.components));
        findings.extend(unserved);
        let mut documents = Self {
            defaults: resources.components.len() - written,
            resources,
            findings: Vec::new(),
        };
        documents.add(findings);
        documents
    }

    /// Whether every secret that a document refers to can be read. Opens the secret stores and nothing else.
    pub async fn check_secrets(&self, registry: &Registry) -> Result<Vec<Diagnostic>, Failure> {
        // A check leaves no data directory behind.
        let data_dir = tempfile::tempdir().context("making a temporary directory")?;
        let resources = &self.resources;
        let plan = OpenPlan {
            data_dir: data_dir.path().to_owned(),
            connections: Connections::default(),
            apps: resources.apps.clone(),
            native: Vec::new(),
            configurations: resources.configurations.clone(),
            resiliencies: Vec::new(),
        };
        Ok(check_secrets(&resources.components, registry, &plan).await)
    }

    /// Adds findings of a later check.
    pub fn add(&mut self, findings: Vec<Diagnostic>) {
        self.findings.extend(findings);
        self.findings.sort();
        self.findings.dedup();
    }

    /// Whether something forbids deployment.
    pub fn has_errors(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}

/// Namespaces that hold an app or a backend, and the default one.
fn namespaces(resources: &Resources, default: &Namespace) -> BTreeSet<Namespace> {
    let of_apps = resources.apps.iter().map(|app| &app.namespace);
    let of_components = resources
        .components
        .iter()
        .map(|component| &component.namespace);
    let all = of_apps.chain(of_components).chain([default]);
    all.cloned().collect()
}

/// A subscription to a pub/sub backend that does not exist would never receive anything.
fn unserved(subscription: &Subscription, components: &[Component]) -> Option<Diagnostic> {
    let Subscription {
        namespace, pubsub, ..
    } = subscription;
    let brokers = components.iter().filter(|component| {
        &component.namespace == namespace && Block::of(&component.kind) == Some(Block::PubSub)
    });
    let names: Vec<_> = brokers.map(|component| component.name.as_str()).collect();
    if names.contains(&pubsub.as_str()) {
        return None;
    }
    let meant = did_you_mean(pubsub, names.iter().copied());
    Some(Diagnostic {
        origin: subscription.pubsub_origin.clone(),
        severity: Severity::Error,
        message: format!("no pub/sub backend `{pubsub}` in namespace `{namespace}`{meant}"),
        hint: None,
    })
}
