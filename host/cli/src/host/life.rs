//! The life of a host: start, follow changes, open what failed to open, stop.

use super::{
    Settings, heal::Pauses, projects::Projects, reload::Outcome, running::Running, signals,
    start::start, versions, watch::Watch,
};
use crate::failure::Failure;
use berth_runtime::GuestEngines;
use tokio_util::sync::CancellationToken;

/// Runs until a signal or the admin API ends it. The engines are made for `settings.max_instances`.
pub async fn run(settings: Settings, engines: GuestEngines) -> Result<(), Failure> {
    let stop = signals::listen()?;
    let starting = start(settings, engines, stop.clone());
    let mut host = tokio::select! {
        started = starting => started?,
        () = stop.cancelled() => return Ok(()),
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = versions::tidy(&host.workshop, &host.deployment) => {}
    }
    follow(&mut host, &stop).await;
    host.stop().await;
    Ok(())
}

async fn follow(host: &mut Running, stop: &CancellationToken) {
    let mut watch = watch(host);
    let mut projects = projects(host);
    let mut pauses = Pauses::default();
    // What changed since the documents were read, nobody has seen.
    let mut changed = watch.is_some();
    loop {
        if changed {
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = host.reload() => outcome,
            };
            report(&outcome);
            pauses = Pauses::default();
        }
        if let Some(watch) = &mut watch {
            watch.follow(host.sources(), &host.input_files());
        }
        if let Some(projects) = &projects {
            projects.follow(host.apps());
        }
        // What is being opened when a file changes is opened again with the change.
        changed = tokio::select! {
            () = stop.cancelled() => return,
            () = noticed(watch.as_mut()) => true,
            () = built(projects.as_mut()) => true,
            () = host.heal(&mut pauses) => false,
        };
    }
}

async fn built(projects: Option<&mut Projects>) {
    match projects {
        Some(projects) => projects.built().await,
        None => std::future::pending().await,
    }
}

/// The projects whose guests run, if they are to be built again.
fn projects(host: &Running) -> Option<Projects> {
    let building = host.settings().building.clone()?;
    match Projects::watch(building, host.apps()) {
        Ok(projects) => Some(projects),
        Err(error) => {
            tracing::warn!(%error, "changed source cannot be followed: run `berth build` after a change");
            None
        }
    }
}

async fn noticed(watch: Option<&mut Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// Without a watcher the host is whole but for this, so it says so and goes on.
fn watch(host: &Running) -> Option<Watch> {
    if !host.settings().watch {
        return None;
    }
    match Watch::new() {
        Ok(mut watch) => {
            watch.follow(host.sources(), &host.input_files());
            Some(watch)
        }
        Err(error) => {
            tracing::warn!(%error, "changed files cannot be followed: restart the host after a change");
            None
        }
    }
}

fn report(outcome: &Outcome) {
    match outcome {
        Outcome::Unchanged => tracing::debug!("files were touched, nothing changed"),
        Outcome::Swapped { loaded, took } => {
            let took = crate::ui::duration(*took);
            let loaded = loaded.join(", ");
            tracing::info!(took, loaded, "change applied");
        }
        Outcome::Refused(failure) => {
            for finding in failure.findings() {
                let hint = finding.hint.as_deref();
                tracing::error!(place = %finding.origin, hint, "{}", finding.message);
            }
            tracing::error!("change refused, what ran before keeps running: {failure}");
        }
    }
}
