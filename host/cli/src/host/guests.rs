//! Guests: loaded in parallel, and only where something changed.

use super::Documents;
use crate::failure::Failure;
use berth_blocks::{
    Backend, Backends, Blocks, Opening, VisibleBackend,
    invocation::Target,
    registry::{InputFile, Opened},
};
use berth_resources::{App, Diagnostic, Severity};
use berth_runtime::{Deployable, GuestEngines, Runtime, RuntimeOptions};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
    thread::available_parallelism,
    time::Duration,
};
use tokio::{sync::Semaphore, task::JoinSet};

/// A guest that can be called, with what it was made from.
#[derive(Clone)]
pub struct LoadedGuest {
    /// For calls, with what it says of itself.
    pub deployable: Deployable,
    made_from: MadeFrom,
}

/// When all of this is the same, the guest need not be loaded again.
#[derive(Clone, PartialEq)]
struct MadeFrom {
    app: App,
    file: InputFile,
    /// Imports are checked against these.
    backends: Vec<VisibleBackend>,
}

impl LoadedGuest {
    /// The identity of its app.
    pub fn target(&self) -> Target {
        self.deployable.target()
    }

    /// The manifest.
    pub fn app(&self) -> &App {
        self.deployable.loaded.app()
    }

    /// Whether the two are one guest, loaded once.
    pub fn is_made_like(&self, other: &Self) -> bool {
        self.made_from == other.made_from
    }

    /// Whether the file of the guest is the one that was loaded.
    pub fn is_current(&self) -> bool {
        self.made_from.file.is_current()
    }
}

/// Loads the guests of all apps for these backends; those that are the same as `before` stay.
pub async fn load_all(
    runtime: &Arc<Runtime>,
    backends: &Arc<Backends>,
    apps: &[App],
    before: &[LoadedGuest],
) -> Result<Vec<LoadedGuest>, Vec<Diagnostic>> {
    let progress = progress_bar(apps.len());
    let workers = available_parallelism().map_or(1, usize::from);
    let places = Arc::new(Semaphore::new(workers));
    let mut loading = JoinSet::new();
    for (at, app) in apps.iter().enumerate() {
        let made_from = MadeFrom {
            app: app.clone(),
            file: InputFile::at(&app.guest),
            backends: backends.visible(&app.namespace, &app.id),
        };
        let known = before
            .iter()
            .find(|guest| guest.made_from == made_from)
            .cloned();
        let (runtime, places, backends) = (runtime.clone(), places.clone(), backends.clone());
        loading.spawn(async move {
            let _place = places.acquire().await;
            match known {
                Some(guest) => (at, Ok(guest)),
                None => (at, load_one(&runtime, &backends, made_from).await),
            }
        });
    }
    let (mut guests, mut problems) = (Vec::new(), Vec::new());
    while let Some(joined) = loading.join_next().await {
        match joined {
            Ok((at, Ok(guest))) => {
                progress.set_message(guest.app().id.to_string());
                guests.push((at, guest));
            }
            Ok((_, Err(found))) => problems.extend(found),
            Err(error) => problems.push(broken(&error)),
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    if problems.is_empty() {
        guests.sort_by_key(|(at, _)| *at);
        Ok(guests.into_iter().map(|(_, guest)| guest).collect())
    } else {
        problems.sort();
        Err(problems)
    }
}

async fn load_one(
    runtime: &Arc<Runtime>,
    backends: &Arc<Backends>,
    made_from: MadeFrom,
) -> Result<LoadedGuest, Vec<Diagnostic>> {
    let deployable = runtime.deployable(&made_from.app, backends).await?;
    Ok(LoadedGuest {
        deployable,
        made_from,
    })
}

/// Checks guests as a start would, with backends that are configured but not open.
pub async fn check_guests(
    documents: &Documents,
    options: &RuntimeOptions,
) -> Result<Vec<Diagnostic>, Failure> {
    let mut backends = Backends::default();
    for component in &documents.resources.components {
        let (name, namespace) = (component.name.as_str(), component.namespace.clone());
        let kind = component.kind.0.as_str();
        let mut backend = Backend::open_to_all(name, namespace, kind, Opened::default());
        backend.scopes.clone_from(&component.scopes);
        backend.opening = Opening::Failed("only checked".into());
        backends.insert(backend);
    }
    let engines = GuestEngines::begin(options)?;
    let runtime = Runtime::new(engines, options.instances, Blocks::new());
    let loaded = load_all(
        &runtime,
        &Arc::new(backends),
        &documents.resources.apps,
        &[],
    )
    .await;
    Ok(loaded.err().unwrap_or_default())
}

/// Shown on terminals only, and only while it is worth looking at.
fn progress_bar(count: usize) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{spinner} compiling guests {bar:24} {pos}/{len} {msg}");
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(0));
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// The panic has been printed already.
fn broken(error: &tokio::task::JoinError) -> Diagnostic {
    Diagnostic {
        origin: berth_resources::Origin::defaults(),
        severity: Severity::Error,
        message: format!("a guest could not be loaded: {error}"),
        hint: None,
    }
}
