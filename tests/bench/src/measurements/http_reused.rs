//! A hello over HTTP with instances that serve many requests, beside `wasmtime serve` and beside no guest at all.

use crate::{
    host::{self, App, REUSE},
    paths,
    peers::{native, wasmtime::Wasmtime, wrk},
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::Result;

const BUDGET_WASMTIME: Budget = Budget::RatioAtLeast(1.3);
const BUDGET_NATIVE: Budget = Budget::RatioAtLeast(0.6);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    wrk::ensure()?;
    let wasmtime = Wasmtime::ensure()?;
    let folder = paths::scratch("http_reused")?;
    let guest = paths::guest("hello")?;
    let hello = App {
        reuse: REUSE,
        ..App::fresh("hello", &guest)
    };
    let berth = host::run_apps(settings, &folder, &host::in_memory()?, &[hello])?;
    let reuse = REUSE.to_string();
    let options = ["--max-instance-reuse-count", &reuse];
    let peer = wasmtime.serve(&guest, &options, &folder, "/")?;
    let native = native::start(&folder)?;
    let [ours, theirs, bare] = alternate(
        settings.rounds,
        [
            Box::new(|| wrk::load(&berth.url("/hello"), settings.round)),
            Box::new(|| wrk::load(&peer.url("/"), settings.round)),
            Box::new(|| wrk::load(&native.url("/"), settings.round)),
        ],
    )?;
    let name = format!("{} serve", wasmtime.version()?);
    let unit = Unit::PerSecond;
    Ok(vec![
        Line::beside("requests", unit, &ours, (&name, &theirs), BUDGET_WASMTIME),
        Line::beside(
            "requests",
            unit,
            &ours,
            ("native axum", &bare),
            BUDGET_NATIVE,
        ),
    ])
}
