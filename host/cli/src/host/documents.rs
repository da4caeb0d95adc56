//! The documents of a deployment, checked as far as that goes without opening anything.

use super::Sources;
use berth_blocks::{Block, check, embedded_defaults, registry::Registry};
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
        findings.sort();
        findings.dedup();
        Self {
            defaults: resources.components.len() - written,
            resources,
            findings,
        }
    }

    /// Whether something forbids deployment.
    pub fn has_errors(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}

/// Namespaces that hold an app, and the default one.
fn namespaces(resources: &Resources, default: &Namespace) -> BTreeSet<Namespace> {
    let of_apps = resources.apps.iter().map(|app| app.namespace.clone());
    of_apps.chain([default.clone()]).collect()
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
