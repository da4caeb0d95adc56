//! A hello over HTTP with a fresh instance for every request, which is the default of both hosts.

use crate::{
    host, paths,
    peers::{wasmtime::Wasmtime, wrk},
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::Result;

const BUDGET: Budget = Budget::RatioAtLeast(3.0);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    wrk::ensure()?;
    let wasmtime = Wasmtime::ensure()?;
    let folder = paths::scratch("http_fresh")?;
    let guest = paths::guest("hello")?;
    let berth = host::run_guest(settings, &guest, &folder)?;
    let peer = wasmtime.serve(&guest, &[], &folder, "/")?;
    let [ours, theirs] = alternate(
        settings.rounds,
        [
            Box::new(|| wrk::load(&berth.url("/"), settings.round)),
            Box::new(|| wrk::load(&peer.url("/"), settings.round)),
        ],
    )?;
    let name = format!("{} serve", wasmtime.version()?);
    Ok(vec![Line::beside(
        "requests",
        Unit::PerSecond,
        &ours,
        (&name, &theirs),
        BUDGET,
    )])
}
