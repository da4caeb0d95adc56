//! From the start of the process to the first answer, with a guest that an earlier process has compiled. Both are ended as
//! an operator ends them, so that no journal of a host that was killed is read.

use crate::{
    host, paths,
    peers::wasmtime::Wasmtime,
    report::{Budget, Line, Unit},
    samples::alternate,
    server::Server,
    settings::Settings,
};
use anyhow::Result;
use std::fs;

const BUDGET: Budget = Budget::RatioAtMost(0.5);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let wasmtime = Wasmtime::ensure()?;
    let folder = paths::scratch("cold_start")?;
    let guest = paths::guest("hello")?;
    let cache = folder.join("cache.toml");
    let directory = folder.join("wasmtime-cache");
    fs::write(
        &cache,
        format!("[cache]\ndirectory = \"{}\"\n", directory.display()),
    )?;
    let cache = format!("cache-config={}", cache.display());
    let options = ["-C", "cache=y", "-C", &cache];
    let milliseconds = |mut server: Server| {
        server.terminate()?;
        Ok(server.started_in.as_secs_f64() * 1000.0)
    };
    // The first start of each compiles the guest: it is the one that does not count.
    let [ours, theirs] = alternate(
        settings.starts,
        [
            Box::new(|| milliseconds(host::run_guest(settings, &guest, &folder)?)),
            Box::new(|| milliseconds(wasmtime.serve(&guest, &options, &folder, "/")?)),
        ],
    )?;
    let name = format!("{} serve", wasmtime.version()?);
    Ok(vec![Line::beside(
        "first answer",
        Unit::Milliseconds,
        &ours,
        (&name, &theirs),
        BUDGET,
    )])
}
