//! The documents of a world: those that `berth run` would read, and what the scenario adds to them.

use berth_blocks::{Block, check, embedded_defaults, registry::Registry};
use berth_resources::{
    AppId, Diagnostic, LoadOptions, Namespace, Origin, Resources, Severity, Source, did_you_mean,
    load,
    scenario::{Given, OtherApp},
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Documents, and which app a scenario is about.
pub(crate) struct Documents {
    pub(crate) resources: Resources,
    /// Where `app` is not said.
    pub(crate) about: AppId,
    pub(crate) namespace: Namespace,
}

/// Reads them. `place` is that of the scenario, for what is wrong with none of its parts.
pub(crate) fn read(
    given: &Given,
    folder: &Path,
    place: &Origin,
    registry: &Registry,
) -> Result<Documents, Vec<Diagnostic>> {
    let sources = sources(given, folder)?;
    let canned = |(id, (other, _)): (&AppId, &(OtherApp, Origin))| {
        matches!(other, OtherApp::Canned(_)).then(|| id.clone())
    };
    let options = LoadOptions {
        known_apps: given.apps.iter().filter_map(canned).collect(),
        ..LoadOptions::default()
    };
    let loaded = load(&sources, &options);
    let mut resources = loaded.resources;
    let mut findings = loaded.diagnostics;
    findings.extend(check(&resources.components, registry));
    findings.retain(|finding| finding.severity == Severity::Error);
    if !findings.is_empty() {
        return Err(findings);
    }
    let (about, namespace) = about(given, &resources, place)?;
    for app in &mut resources.apps {
        if app.id == about && app.namespace == namespace {
            app.allow.env.extend(given.env.iter().cloned());
        }
    }
    add_defaults(&mut resources);
    let findings = misnamed(given, &resources);
    if findings.is_empty() {
        Ok(Documents {
            resources,
            about,
            namespace,
        })
    } else {
        Err(findings)
    }
}

fn sources(given: &Given, folder: &Path) -> Result<Vec<Source>, Vec<Diagnostic>> {
    let mut sources = Vec::new();
    match (&given.resources, &given.guest) {
        (Some(paths), _) => sources.extend(paths.iter().map(|(path, _)| Source::Dir(path.clone()))),
        (None, None) => sources.push(Source::Dir(folder.to_owned())),
        (None, Some(_)) => {}
    }
    if let Some((guest, origin)) = &given.guest {
        let named = given.app.as_ref().map(|(app, _)| app.clone());
        let Some(id) = named.or_else(|| AppId::of_file(guest)) else {
            let message = format!("no app ID can be made of the file name {}", guest.display());
            let hint = Some("name the app with `given.app`".to_owned());
            return Err(vec![Diagnostic {
                hint,
                ..error(origin, message)
            }]);
        };
        sources.push(document(&id, guest));
    }
    for (id, (other, _)) in &given.apps {
        if let OtherApp::Guest(guest) = other {
            sources.push(document(id, guest));
        }
    }
    Ok(sources)
}

/// A guest without a document gets one that says nothing but its name.
fn document(id: &AppId, guest: &Path) -> Source {
    let document = serde_json::json!({
        "apiVersion": "berth.dev/v1alpha1",
        "kind": "App",
        "metadata": { "name": id.as_str() },
        "spec": { "guest": guest.to_string_lossy() },
    });
    Source::Text {
        name: PathBuf::from(guest),
        text: document.to_string(),
    }
}

/// The app that a scenario is about: the one that it names, or the only one that is not there to help.
fn about(
    given: &Given,
    resources: &Resources,
    place: &Origin,
) -> Result<(AppId, Namespace), Vec<Diagnostic>> {
    let apps = || resources.apps.iter();
    if let Some((id, origin)) = &given.app {
        let known: Vec<_> = apps().map(|app| app.id.as_str()).collect();
        return match apps().find(|app| app.id == *id) {
            Some(app) => Ok((app.id.clone(), app.namespace.clone())),
            None => {
                let meant = did_you_mean(id.as_str(), known.iter().copied());
                Err(vec![error(
                    origin,
                    format!("there is no app `{id}`{meant}"),
                )])
            }
        };
    }
    let mut own = apps().filter(|app| !given.apps.contains_key(&app.id));
    match (own.next(), own.next()) {
        (Some(app), _) => Ok((app.id.clone(), app.namespace.clone())),
        (None, _) => {
            let message = "there is no app to test: no document of kind App was found";
            let hint = "write one beside this file, name a folder with `given.resources`, or a guest with `given.guest`";
            Err(vec![Diagnostic {
                hint: Some(hint.to_owned()),
                ..error(place, message.to_owned())
            }])
        }
    }
}

fn add_defaults(resources: &mut Resources) {
    let of_apps = resources.apps.iter().map(|app| app.namespace.clone());
    let of_components = resources.components.iter().map(|own| own.namespace.clone());
    let namespaces: BTreeSet<_> = of_apps.chain(of_components).collect();
    for namespace in namespaces {
        let defaults = embedded_defaults(&namespace, &resources.components);
        resources.components.extend(defaults);
    }
}

/// Names of backends and apps that nothing has.
fn misnamed(given: &Given, resources: &Resources) -> Vec<Diagnostic> {
    let names = |block: Option<Block>| -> Vec<&str> {
        let components = resources.components.iter();
        let of = components
            .filter(|own| block.is_none() || Block::of(&own.kind) == block)
            .map(|own| own.name.as_str());
        of.collect()
    };
    let mut findings = Vec::new();
    let mut look = |noun: &str, name: &str, known: &[&str], origin: &Origin| {
        if !known.contains(&name) {
            let meant = did_you_mean(name, known.iter().copied());
            let listed = format!("there are: {}", known.join(", "));
            findings.push(Diagnostic {
                hint: meant.is_empty().then_some(listed),
                ..error(origin, format!("there is no {noun} `{name}`{meant}"))
            });
        }
    };
    for (store, (_, origin)) in &given.state {
        look(
            "state store",
            &store.name,
            &names(Some(Block::State)),
            origin,
        );
    }
    for (store, (_, origin)) in &given.secrets {
        look("secret store", store, &names(Some(Block::Secrets)), origin);
    }
    findings
}

pub(crate) fn error(origin: &Origin, message: String) -> Diagnostic {
    Diagnostic {
        origin: origin.clone(),
        severity: Severity::Error,
        message,
        hint: None,
    }
}
