//! What only all documents together show: duplicates, references, paths of the ingress.

use crate::{
    App, Diagnostic, LoadOptions, Namespace, Origin, Severity,
    document::{Identity, Resource},
    node::quote,
    reader::Reference,
    suggest::did_you_mean,
};
use std::collections::{BTreeMap, BTreeSet};

/// Which source a document came from: a later one replaces documents of an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    Dir,
    ResourcesPath,
    Config,
}

/// A document that has a name, whatever else is wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub layer: Layer,
    pub identity: Identity,
    pub origin: Origin,
    pub resource: Option<Resource>,
    pub references: Vec<Reference>,
}

/// Keeps of each name the document of the highest layer; two in one layer, and any two apps, are an error.
pub(crate) fn replace(mut found: Vec<Found>, findings: &mut Vec<Diagnostic>) -> Vec<Found> {
    found.sort_by(|a, b| (b.layer, &a.origin).cmp(&(a.layer, &b.origin)));
    let mut kept: BTreeMap<Identity, (Layer, Origin)> = BTreeMap::new();
    found.retain(|document| {
        let identity = &document.identity;
        let Some((layer, first)) = kept.get(identity) else {
            kept.insert(identity.clone(), (document.layer, document.origin.clone()));
            return true;
        };
        if *layer == document.layer || identity.kind == "App" {
            let (kind, name) = (identity.kind, quote(&identity.name));
            let message = match kind {
                "App" => format!(
                    "app {name} is defined twice{}, also at {first}",
                    within(&identity.namespace)
                ),
                _ => format!(
                    "{kind} {name} is defined twice{}, also at {first}",
                    within(&identity.namespace)
                ),
            };
            findings.push(error(&document.origin, message));
        }
        false
    });
    found
}

/// ` in namespace ...`, left out for the default one.
fn within(namespace: &Namespace) -> String {
    if *namespace == Namespace::default() {
        String::new()
    } else {
        format!(" in namespace `{namespace}`")
    }
}

/// Names of configurations must exist; a scope that names no app is a warning, since the app may be started later.
pub(crate) fn references(
    found: &[Found],
    options: &LoadOptions<'_>,
    findings: &mut Vec<Diagnostic>,
) {
    let mut known: BTreeMap<(&str, &Namespace), BTreeSet<&str>> = BTreeMap::new();
    for Found { identity, .. } in found {
        let names = known
            .entry((identity.kind, &identity.namespace))
            .or_default();
        names.insert(&identity.name);
    }
    for app in &options.known_apps {
        known
            .entry(("App", &options.namespace))
            .or_default()
            .insert(app.as_str());
    }
    let none = BTreeSet::new();
    for document in found {
        let namespace = &document.identity.namespace;
        for reference in &document.references {
            let names = known.get(&(reference.kind, namespace)).unwrap_or(&none);
            if !names.contains(reference.name.as_str()) {
                findings.extend(unknown(reference, namespace, names));
            }
        }
    }
}

fn unknown(
    reference: &Reference,
    namespace: &Namespace,
    names: &BTreeSet<&str>,
) -> Option<Diagnostic> {
    let name = quote(&reference.name);
    let within = within(namespace);
    let meant = did_you_mean(&reference.name, names.iter().copied());
    match reference.kind {
        // Without any app the documents are looked at on their own.
        "App" if names.is_empty() => None,
        "App" => Some(Diagnostic {
            severity: Severity::Warning,
            ..error(&reference.origin, format!("no app {name}{within}{meant}"))
        }),
        kind => Some(error(
            &reference.origin,
            format!("no {kind} {name}{within}{meant}"),
        )),
    }
}

/// Two apps may not claim one path of one host.
pub(crate) fn ingress(apps: &[App], findings: &mut Vec<Diagnostic>) {
    let mut claimed: BTreeMap<(Option<&str>, &str), &App> = BTreeMap::new();
    for app in apps {
        let Some(http) = &app.http else { continue };
        let own = http.paths.iter().map(String::as_str);
        // An exposed app without a path has them all.
        let paths = own.chain(http.paths.is_empty().then_some("/"));
        for path in paths {
            let key = (http.host.as_deref(), path);
            let Some(first) = claimed.get(&key) else {
                claimed.insert(key, app);
                continue;
            };
            let host = http
                .host
                .as_ref()
                .map_or_else(String::new, |host| format!(" of host `{host}`"));
            let message = format!(
                "the path `{path}`{host} is claimed by the apps `{}` ({}) and `{}`",
                first.id, first.origin, app.id
            );
            findings.push(error(&app.origin, message));
        }
    }
}

fn error(origin: &Origin, message: String) -> Diagnostic {
    Diagnostic {
        origin: origin.clone(),
        severity: Severity::Error,
        message,
        hint: None,
    }
}
