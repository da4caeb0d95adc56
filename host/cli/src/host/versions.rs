//! Guests of before: what a workflow needs of them until it has ended.
//!
//! A history fits the guest that made it. So the bytes of guests with workflows are kept in the data directory, by their
//! digest, and a new guest is tried against the histories of what runs before it is put into service: instances that fit
//! move to it, the others stay where they are.

use super::{
    deployment::{Deployment, Workshop},
    guests::LoadedGuest,
};
use berth_blocks::{
    Backends,
    invocation::Target,
    workflow::{InstanceKey, InstanceQuery, Status},
};
use berth_resources::App;
use berth_runtime::LoadedApp;
use berth_workflow::{Engine, Replay, WorkflowEnd};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Instances that a new guest is tried against.
const TRIALS_MAX: usize = 1_000;
/// Time for all of them together, and for one.
const TRIALS_TIME: Duration = Duration::from_secs(10);
const TRIAL_TIME: Duration = Duration::from_secs(2);

/// What a trial of a new guest has shown.
#[derive(Debug, Default)]
struct Verdict {
    fit: usize,
    /// The first one that does not, and why.
    differs: Option<(InstanceKey, String)>,
    stay: usize,
    untried: usize,
}

/// Makes the guests of before available, and keeps the present ones. Call it before workflows begin to run.
pub async fn restore(workshop: &Workshop, deployment: &Deployment, backends: &Arc<Backends>) {
    for guest in with_workflows(&deployment.guests) {
        let folder = folder(workshop, guest.app());
        keep(&folder, guest);
        for (digest, path) in kept(&folder, guest.app()) {
            if digest == guest.digest() {
                continue;
            }
            let manifest = App {
                guest: path,
                ..guest.app().clone()
            };
            match load(workshop, &manifest, backends).await {
                Ok(before) => workshop.runtime.keep_version(&before),
                Err(error) => {
                    let app = &guest.app().id;
                    tracing::warn!(%app, digest, error, "a guest of before cannot be loaded: workflows that need it may stall");
                }
            }
        }
    }
}

/// Tries guests that are about to replace others against the histories of what runs, keeps those that are replaced, and
/// reports what fits.
pub async fn replace(workshop: &Workshop, before: &Deployment, after: &Deployment) {
    for guest in with_workflows(&after.guests) {
        let target = Target::from(guest.app());
        keep(&folder(workshop, guest.app()), guest);
        let known = with_workflows(&before.guests).find(|old| Target::from(old.app()) == target);
        let Some(old) = known.filter(|old| old.digest() != guest.digest()) else {
            continue;
        };
        workshop.runtime.keep_version(old);
        workshop.runtime.keep_version(guest);
        if let Ok(engine) = workshop.engines.engine(&target.namespace).await {
            let verdict = try_all(workshop, &engine, guest).await;
            report(&target, &verdict);
            if let Ok(mut needed) = engine.codes(&target.namespace, &target.app).await {
                needed.extend([old.digest().to_owned(), guest.digest().to_owned()]);
                workshop.runtime.forget_versions(&target, &needed);
            }
        }
    }
}

/// Tries present guests against instances that a guest of before made, and removes guests that nobody needs any more.
pub async fn tidy(workshop: &Workshop, deployment: &Deployment) {
    for guest in with_workflows(&deployment.guests) {
        let target = Target::from(guest.app());
        let Ok(engine) = workshop.engines.engine(&target.namespace).await else {
            continue;
        };
        let Ok(mut needed) = engine.codes(&target.namespace, &target.app).await else {
            continue;
        };
        if needed.iter().any(|digest| digest != guest.digest()) {
            let verdict = try_all(workshop, &engine, guest).await;
            report(&target, &verdict);
        }
        needed.push(guest.digest().to_owned());
        workshop.runtime.forget_versions(&target, &needed);
        for (digest, path) in kept(&folder(workshop, guest.app()), guest.app()) {
            if !needed.contains(&digest) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn with_workflows(guests: &[LoadedGuest]) -> impl Iterator<Item = &LoadedApp> {
    let loaded = guests.iter().map(|guest| &guest.deployable.loaded);
    loaded.filter(|loaded| loaded.exports().workflows)
}

async fn load(
    workshop: &Workshop,
    manifest: &App,
    backends: &Arc<Backends>,
) -> Result<LoadedApp, String> {
    let loaded = workshop.runtime.load(manifest, backends).await;
    let loaded = loaded.map_err(|error| error.to_string())?;
    workshop.runtime.ask_registry(&loaded, backends).await?;
    Ok(loaded)
}

/// Replays what runs and was made by another guest.
async fn try_all(workshop: &Workshop, engine: &Engine, guest: &LoadedApp) -> Verdict {
    let until = Instant::now() + TRIALS_TIME;
    let (app, digest) = (guest.app(), guest.digest());
    let mut verdict = Verdict::default();
    let live = Status::ALL
        .into_iter()
        .filter(|status| !status.is_terminal());
    let query = InstanceQuery {
        app: Some(app.id.clone()),
        statuses: live.collect(),
        ..InstanceQuery::all(app.namespace.clone(), TRIALS_MAX)
    };
    let Ok(page) = engine.list(query).await else {
        return verdict;
    };
    let others = page.rows.into_iter().filter(|row| {
        let code = row.state.code.as_deref();
        code.is_some_and(|code| code != digest)
    });
    for row in others {
        if Instant::now() > until {
            verdict.untried += 1;
            continue;
        }
        let trial = engine.trial(&row.key, Some(digest.to_owned()));
        match tokio::time::timeout(TRIAL_TIME, trial).await {
            Ok(Ok(Replay::Ended(WorkflowEnd::Unavailable(_)))) => verdict.untried += 1,
            Ok(Ok(Replay::Differs(why) | Replay::Ended(WorkflowEnd::Stalled(why)))) => {
                verdict.stay += 1;
                verdict.differs.get_or_insert((row.key, why));
            }
            Ok(Ok(Replay::Waits | Replay::Ended(_))) => {
                workshop.runtime.moves_to(row.key, digest);
                verdict.fit += 1;
            }
            Ok(Err(_)) | Err(_) => verdict.untried += 1,
        }
    }
    verdict
}

fn report(target: &Target, verdict: &Verdict) {
    let Target { namespace, app } = target;
    let (fit, stay, untried) = (verdict.fit, verdict.stay, verdict.untried);
    if fit + stay + untried == 0 {
        return;
    }
    match &verdict.differs {
        None => {
            tracing::info!(%app, %namespace, fit, untried, "running workflows were tried with the new guest");
        }
        Some((key, why)) => {
            let example = key.id.as_ref();
            tracing::warn!(
                %app, %namespace, fit, stay, untried, example, why,
                "running workflows that do not fit the new guest stay on the one before"
            );
        }
    }
}

fn folder(workshop: &Workshop, app: &App) -> PathBuf {
    let data = &workshop.settings.data_dir;
    data.join(app.namespace.as_str()).join("guests")
}

/// Guests of an app that are kept, by digest.
fn kept(folder: &Path, app: &App) -> Vec<(String, PathBuf)> {
    let prefix = format!("{}@", app.id);
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let own = files.filter_map(|file| {
        let name = file.file_name().into_string().ok()?;
        let digest = name.strip_prefix(&prefix)?.strip_suffix(".wasm")?;
        Some((digest.to_owned(), file.path()))
    });
    own.collect()
}

/// Copies the guest's bytes, whole or not at all.
fn keep(folder: &Path, guest: &LoadedApp) {
    let (app, digest) = (guest.app(), guest.digest());
    let path = folder.join(format!("{}@{digest}.wasm", app.id));
    let copy = || -> io::Result<()> {
        if path.exists() {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        let draft = path.with_extension("draft");
        fs::copy(&app.guest, &draft)?;
        fs::rename(&draft, &path)
    };
    if let Err(error) = copy() {
        let app = &app.id;
        tracing::warn!(%app, %error, "the guest is not kept: workflows may stall when it is replaced");
    }
}
