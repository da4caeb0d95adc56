//! What one WIT call costs: `store.get` and `store.set` of a guest, in a loop, by the guest's own clock.

use crate::{
    host::{self, App, Host},
    http, paths,
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::{Context, Result};
use std::time::Duration;

const BUDGET: Budget = Budget::AtMost(2.0);
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("wit_call")?;
    let (hello, bench) = (paths::guest("hello")?, paths::guest("bench")?);
    let apps = [App::fresh("hello", &hello), App::fresh("bench", &bench)];
    let host = host::run_apps(settings, &folder, &host::in_memory()?, &apps)?;
    http::get(host.address, "/bench/state/fill", PATIENCE)?;
    let [get, set] = alternate(
        settings.rounds,
        [
            Box::new(|| microseconds(settings, &host, "get")),
            Box::new(|| microseconds(settings, &host, "set")),
        ],
    )?;
    let unit = Unit::Microseconds;
    Ok(vec![
        Line::alone("get from state.in-memory", unit, &get, BUDGET),
        Line::alone("set in state.in-memory", unit, &set, BUDGET),
    ])
}

/// Microseconds of one operation of the guest `bench` on its state, whose keys are there.
pub fn microseconds(settings: &Settings, host: &Host, operation: &str) -> Result<f64> {
    let path = format!("/bench/state/{operation}?n={}", settings.calls);
    let nanoseconds: f64 = http::get(host.address, &path, PATIENCE)?
        .parse()
        .context("the guest answers with a number")?;
    Ok(nanoseconds / f64::from(settings.calls) / 1000.0)
}
