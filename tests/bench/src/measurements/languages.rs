//! The same service in every language: the template of `berth new` that counts visits in the state store, built by its
//! language's toolchain. What it weighs, how long a changed line takes to be built, how long a host takes to answer with
//! it, requests (one read of the store each) to fresh and to used instances, and the memory of an instance.

use super::loops;
use crate::{
    host::{self, App, REUSE},
    http, paths,
    peers::wrk,
    report::{Budget, Line, Unit},
    samples::{Samples, alternate},
    settings::Settings,
};
use anyhow::{Context, Result, ensure};
use berth_servers::{Redis, RedisOptions};
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Names of the languages, and the file of each that answers.
const LANGUAGES: [(&str, &str); 5] = [
    ("rust", "src/visits.rs"),
    ("go", "visits.go"),
    ("c", "src/visits.c"),
    ("js", "src/visits.ts"),
    ("python", "visits.py"),
];
/// The project, the app, and its path.
pub const NAME: &str = "visits";
/// Instances that wait for the store while memory is looked at.
const WAITING: u32 = 32;
const PATIENCE: Duration = Duration::from_secs(60);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    wrk::ensure()?;
    let folder = paths::scratch("languages")?;
    let mut lines = Vec::new();
    for (language, source) in LANGUAGES {
        let folder = folder.join(language);
        fs::create_dir(&folder).context("making the folder of a language")?;
        let project = project(settings, language, as_it_is, &folder)?;
        let guest = guest(&project);
        let mut line = |what: &str, unit, samples: &Samples| {
            lines.push(Line::alone(
                &format!("{language}, {what}"),
                unit,
                samples,
                Budget::None,
            ));
        };
        let size = fs::metadata(&guest).context("looking at the guest")?.len();
        line("size", Unit::Kibibytes, &one(size as f64 / 1024.0));
        line(
            "build of a change",
            Unit::Milliseconds,
            &builds(settings, &project, source)?,
        );
        line(
            "first answer",
            Unit::Milliseconds,
            &starts(settings, &guest, &folder)?,
        );
        let [fresh, reused] = requests(settings, &guest, &folder)?;
        line("requests, fresh instances", Unit::PerSecond, &fresh);
        line("requests, used instances", Unit::PerSecond, &reused);
        line(
            "memory per instance",
            Unit::Kibibytes,
            &memory(settings, &guest, &folder)?,
        );
    }
    Ok(lines)
}

fn one(figure: f64) -> Samples {
    let mut samples = Samples::default();
    samples.push(figure);
    samples
}

pub fn app(guest: &Path, reuse: u32) -> App<'_> {
    App {
        reuse,
        ..App::fresh(NAME, guest)
    }
}

/// Makes a project of the template, and its guest after `alter` has changed it. Toolchains stay from run to run.
pub fn project(
    settings: &Settings,
    language: &str,
    alter: impl FnOnce(&Path) -> Result<()>,
    folder: &Path,
) -> Result<PathBuf> {
    berth(settings, &["new", NAME, "--lang", language], folder)?;
    let project = folder.join(NAME);
    alter(&project)?;
    berth(settings, &["build"], &project)?;
    Ok(project)
}

/// The guest of a project.
pub fn guest(project: &Path) -> PathBuf {
    project.join(format!("{NAME}.wasm"))
}

/// How long it takes to build a change.
fn builds(settings: &Settings, project: &Path, source: &str) -> Result<Samples> {
    let [builds] = alternate(
        settings.rounds,
        [Box::new(|| {
            let mut file = OpenOptions::new().append(true).open(project.join(source))?;
            writeln!(file).context("changing the source")?;
            drop(file);
            let began = Instant::now();
            berth(settings, &["build"], project)?;
            Ok(milliseconds(began))
        })],
    )?;
    Ok(builds)
}

fn berth(settings: &Settings, arguments: &[&str], folder: &Path) -> Result<()> {
    let mut command = Command::new(&settings.berth);
    command
        .args(arguments)
        .current_dir(folder)
        .env("BERTH_TOOLS_DIR", paths::kept("tools")?);
    let output = command.output().context("starting berth")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "berth {}: {said}",
        arguments.join(" ")
    );
    Ok(())
}

/// A template that nobody alters.
pub fn as_it_is(_: &Path) -> Result<()> {
    Ok(())
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}

/// Starts with a guest that is in the cache.
fn starts(settings: &Settings, guest: &Path, folder: &Path) -> Result<Samples> {
    let backends = host::in_memory()?;
    let [starts] = alternate(
        settings.starts,
        [Box::new(|| {
            let host = host::run_apps(settings, folder, &backends, &[app(guest, 1)])?;
            Ok(host.started_in.as_secs_f64() * 1000.0)
        })],
    )?;
    Ok(starts)
}

fn requests(settings: &Settings, guest: &Path, folder: &Path) -> Result<[Samples; 2]> {
    let backends = host::in_memory()?;
    let start = |name: &str, reuse| {
        let own = folder.join(name);
        fs::create_dir(&own).context("making a host's folder")?;
        host::run_apps(settings, &own, &backends, &[app(guest, reuse)])
    };
    let (fresh, reused) = (start("fresh", 1)?, start("reused", REUSE)?);
    let load = |host: &host::Host| wrk::load(&host.url("/visits"), settings.round);
    alternate(
        settings.rounds,
        [Box::new(|| load(&fresh)), Box::new(|| load(&reused))],
    )
}

/// What the host grows by while instances wait for a store that stands still, for each of them.
fn memory(settings: &Settings, guest: &Path, folder: &Path) -> Result<Samples> {
    let runtime = loops::runtime()?;
    let server = runtime.block_on(Redis::start(RedisOptions::new()));
    let metadata = [("redisHost", &*server.address())];
    let backend = host::backend("statestore", "state.redis", "v1", &metadata);
    let host = host::run_apps(settings, folder, &backend, &[app(guest, 1)])?;
    let before = host.resident_kib()?;
    server.freeze();
    let mut grown = Samples::default();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..WAITING)
            .map(|_| scope.spawn(|| http::get(host.address, "/visits", PATIENCE)))
            .collect();
        let began = Instant::now();
        while host.metric("berth_app_limit_used")? < f64::from(WAITING) {
            ensure!(began.elapsed() < PATIENCE, "not all calls began");
            thread::sleep(Duration::from_millis(5));
        }
        let grown_kib = host.resident_kib()?.saturating_sub(before);
        grown.push(grown_kib as f64 / f64::from(WAITING));
        server.thaw();
        for caller in callers {
            let answered = caller.join();
            answered.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        anyhow::Ok(())
    })?;
    Ok(grown)
}
