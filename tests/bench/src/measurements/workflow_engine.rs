//! The durable engine on the embedded file: how fast histories are replayed by their guest, how soon a host that was
//! killed with many instances goes on, what an activity leaves on the disk and an instance in memory, how many timers
//! fire in a second.

use crate::{
    host::{self, App, Host},
    http, paths,
    report::{Budget, Line, Unit},
    samples::Samples,
    settings::Settings,
};
use anyhow::{Context, Result, bail};
use rusqlite::Connection;
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Steps of a workflow whose history is replayed, and how many are at once.
const REPLAYED_STEPS: u32 = 1_000;
const REPLAYED_INSTANCES: u32 = 16;
/// Instances that wait when the host is killed.
const PARKED: u32 = 10_000;
/// Instances that wait alive: fewer than the host has places for.
const HOT: u32 = 60;
const TIMERS: u32 = 3_000;
/// From the start of the first timer to when all are due.
const TIMERS_DUE: Duration = Duration::from_secs(8);
const ACTIVITIES: (u32, u32) = (40, 100);
/// Callers at the same time.
const CALLERS: u32 = 16;
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at a host.
const PAUSE: Duration = Duration::from_millis(50);

const REPLAY_BUDGET: Budget = Budget::AtLeast(100_000.0);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("workflow_engine")?;
    let guests = [paths::guest("hello")?, paths::guest("bench")?];
    let mut lines = vec![replay(settings, &folder, &guests)?];
    lines.extend(parked(settings, &folder, &guests)?);
    lines.push(hot(settings, &folder, &guests)?);
    lines.push(timers(settings, &folder, &guests)?);
    lines.extend(sizes(settings, &folder, &guests)?);
    Ok(lines)
}

/// A host on data of its own.
fn start(settings: &Settings, folder: &Path, guests: &[PathBuf; 2]) -> Result<Host> {
    let apps = [
        App::fresh("hello", &guests[0]),
        App::fresh("bench", &guests[1]),
    ];
    host::run_apps(settings, folder, "", &apps)
}

fn fresh(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder.join("data")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn ask(host: &Host, call: &str, n: u32, instance: u32) -> Result<u64> {
    let path = format!("/bench/workflow/{call}?n={n}&from={instance}");
    let answer = http::get(host.address, &path, PATIENCE)?;
    answer.parse().with_context(|| format!("{path}: {answer}"))
}

/// The same for many instances, by several callers.
fn ask_all(
    host: &Host,
    call: &str,
    n: impl Fn() -> u32 + Sync,
    instances: std::ops::Range<u32>,
) -> Result<()> {
    let n = &n;
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let own = instances.clone().skip(caller as usize);
                let mut own = own.step_by(CALLERS as usize);
                scope.spawn(move || own.try_for_each(|id| ask(host, call, n(), id).map(drop)))
            })
            .collect();
        callers.into_iter().try_for_each(|caller| {
            let asked = caller.join();
            asked.unwrap_or_else(|_| bail!("a caller panicked"))
        })
    })
}

fn until(what: &str, done: impl Fn() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !done()? {
        if began.elapsed() > PATIENCE {
            bail!("{what}: not within {PATIENCE:?}");
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn all_wait(host: &Host, instances: std::ops::Range<u32>) -> Result<()> {
    for instance in instances {
        until("an instance waits", || {
            Ok(ask(host, "waits", 0, instance)? == 1)
        })?;
    }
    Ok(())
}

/// From the first event for instances that are given up to the end of the last of them.
fn replay(settings: &Settings, folder: &Path, guests: &[PathBuf; 2]) -> Result<Line> {
    fresh(folder)?;
    let host = start(settings, folder, guests)?;
    let rounds = u32::try_from(settings.rounds)?;
    let all = 0..REPLAYED_INSTANCES * rounds;
    ask_all(&host, "park", || REPLAYED_STEPS, all.clone())?;
    all_wait(&host, all)?;
    until("all are given up", || {
        Ok(host.metric("berth_workflow_instances_owned")? == 0.0)
    })?;
    let mut samples = Samples::default();
    for round in 0..rounds {
        let first = round * REPLAYED_INSTANCES;
        let own = first..first + REPLAYED_INSTANCES;
        let began = Instant::now();
        ask_all(&host, "raise", || 0, own.clone())?;
        ask_all(&host, "end", || 0, own)?;
        // Each step is a command and a result.
        let events = f64::from(REPLAYED_INSTANCES * REPLAYED_STEPS * 2);
        samples.push(events / began.elapsed().as_secs_f64());
    }
    let what = format!("events replayed, {REPLAYED_INSTANCES} histories of {REPLAYED_STEPS} steps");
    Ok(Line::alone(&what, Unit::PerSecond, &samples, REPLAY_BUDGET))
}

/// Memory of instances that are given up; and from the start of the process after a kill until one of them has ended.
fn parked(settings: &Settings, folder: &Path, guests: &[PathBuf; 2]) -> Result<[Line; 2]> {
    fresh(folder)?;
    let (mut memory, mut recovery) = (Samples::default(), Samples::default());
    let mut host = start(settings, folder, guests)?;
    ask(&host, "park", 0, PARKED)?;
    all_wait(&host, PARKED..PARKED + 1)?;
    let before = host.resident_kib()? as f64;
    ask_all(&host, "park", || 0, 0..PARKED)?;
    until("all are given up", || {
        Ok(host.metric("berth_workflow_instances_owned")? == 0.0)
    })?;
    memory.push((host.resident_kib()? as f64 - before).max(0.0) / f64::from(PARKED));
    host.kill()?;
    for round in 0..u32::try_from(settings.starts)?.min(5) {
        let began = Instant::now();
        let mut host = start(settings, folder, guests)?;
        ask(&host, "raise", 0, round * 7 + PARKED / 2)?;
        ask(&host, "end", 0, round * 7 + PARKED / 2)?;
        recovery.push(began.elapsed().as_secs_f64() * 1e3);
        host.kill()?;
    }
    let (each, first) = (
        format!("memory per instance that is given up, of {PARKED}"),
        format!("start after a kill until one of {PARKED} instances has ended"),
    );
    Ok([
        Line::alone(&each, Unit::Kibibytes, &memory, Budget::None),
        Line::alone(&first, Unit::Milliseconds, &recovery, Budget::None),
    ])
}

fn hot(settings: &Settings, folder: &Path, guests: &[PathBuf; 2]) -> Result<Line> {
    fresh(folder)?;
    let host = start(settings, folder, guests)?;
    let mut samples = Samples::default();
    ask(&host, "park", 0, HOT)?;
    all_wait(&host, HOT..HOT + 1)?;
    let before = host.resident_kib()? as f64;
    ask_all(&host, "park", || 0, 0..HOT)?;
    all_wait(&host, 0..HOT)?;
    samples.push((host.resident_kib()? as f64 - before).max(0.0) / f64::from(HOT));
    let what = format!("memory per instance that waits alive, of {HOT}");
    Ok(Line::alone(&what, Unit::Kibibytes, &samples, Budget::None))
}

/// From when all are due to the end of the last one.
fn timers(settings: &Settings, folder: &Path, guests: &[PathBuf; 2]) -> Result<Line> {
    let mut samples = Samples::default();
    for _ in 0..settings.rounds.min(3) {
        fresh(folder)?;
        let host = start(settings, folder, guests)?;
        let due = Instant::now() + TIMERS_DUE;
        let rest = || {
            let rest = due.saturating_duration_since(Instant::now());
            u32::try_from(rest.as_millis()).unwrap_or(u32::MAX)
        };
        ask_all(&host, "sleep", rest, 0..TIMERS)?;
        let late = Instant::now().saturating_duration_since(due);
        if !late.is_zero() {
            bail!("{TIMERS} timers are not started within {TIMERS_DUE:?}: {late:?} late");
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        ask_all(&host, "end", || 0, 0..TIMERS)?;
        samples.push(f64::from(TIMERS) / due.elapsed().as_secs_f64());
    }
    let what = format!("timers fired, {TIMERS} due at once, each of an instance of its own");
    Ok(Line::alone(&what, Unit::PerSecond, &samples, Budget::None))
}

/// What activities leave in the file, all included.
fn sizes(settings: &Settings, folder: &Path, guests: &[PathBuf; 2]) -> Result<[Line; 2]> {
    fresh(folder)?;
    let (instances, steps) = ACTIVITIES;
    let mut host = start(settings, folder, guests)?;
    ask_all(&host, "park", || steps, 0..instances)?;
    ask_all(&host, "raise", || 0, 0..instances)?;
    ask_all(&host, "end", || 0, 0..instances)?;
    // At its end the host moves the log into the file.
    host.terminate()?;
    let file = folder.join("data/default/berth.db");
    let activities = f64::from(instances * steps);
    let (mut rows, mut bytes) = (Samples::default(), Samples::default());
    let events: u32 = Connection::open(&file)
        .and_then(|file| {
            file.query_row("SELECT count(*) FROM workflow_event", [], |row| row.get(0))
        })
        .with_context(|| format!("counting the events in {}", file.display()))?;
    rows.push(f64::from(events) / activities);
    bytes.push(fs::metadata(&file)?.len() as f64 / activities);
    Ok([
        Line::alone(
            "rows per activity",
            Unit::Number,
            &rows,
            Budget::AtMost(2.1),
        ),
        Line::alone(
            "bytes on the disk per activity",
            Unit::Count,
            &bytes,
            Budget::None,
        ),
    ])
}
