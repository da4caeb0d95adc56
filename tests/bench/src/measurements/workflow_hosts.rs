//! Workflows on PostgreSQL: one host, and two that share it, each with half of the callers. All of it shares the cores of
//! one machine.

use crate::{
    host::{self, App, Host},
    paths,
    peers::wrk,
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::{Result, bail};
use berth_servers::Postgres;
use std::{fs, thread};

const CALLERS: u32 = 32;
const STEPS: u32 = 10;

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    wrk::ensure()?;
    let runtime = super::loops::runtime()?;
    let server = runtime.block_on(Postgres::start());
    let database = runtime.block_on(server.database());
    let metadata = [
        ("connectionString", &*database.url()),
        ("actorStateStore", "true"),
    ];
    let backend = host::backend("statestore", "state.postgresql", "v2", &metadata);
    let (hello, bench) = (paths::guest("hello")?, paths::guest("bench")?);
    let apps = [App::fresh("hello", &hello), App::fresh("bench", &bench)];
    let folder = paths::scratch("workflow_hosts")?;
    let start = |name: &str| {
        let own = folder.join(name);
        fs::create_dir_all(&own)?;
        host::run_apps(settings, &own, &backend, &apps)
    };
    let hosts = [start("first")?, start("second")?];
    let [one, two] = alternate(
        settings.rounds,
        [
            Box::new(|| load(settings, &hosts[..1], CALLERS)),
            Box::new(|| load(settings, &hosts, CALLERS / 2)),
        ],
    )?;
    let what = format!("steps, {STEPS} in a row, {CALLERS} at once, two hosts");
    let peer = ("one host", &one);
    Ok(vec![Line::beside(
        &what,
        Unit::PerSecond,
        &two,
        peer,
        Budget::None,
    )])
}

/// Steps per second of all hosts together.
fn load(settings: &Settings, hosts: &[Host], callers: u32) -> Result<f64> {
    let rates = thread::scope(|scope| {
        let loads: Vec<_> = hosts
            .iter()
            .map(|host| {
                let url = host.url(&format!("/bench/workflow?n={STEPS}"));
                scope.spawn(move || wrk::load_from(&url, settings.round, callers, None))
            })
            .collect();
        let rates = loads.into_iter().map(|load| {
            let rate = load.join();
            rate.unwrap_or_else(|_| bail!("a load generator panicked"))
        });
        rates.collect::<Result<Vec<_>>>()
    })?;
    Ok(rates.iter().sum::<f64>() * f64::from(STEPS))
}
