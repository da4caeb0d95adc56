//! What an app costs that does nothing: resident memory of a host with one app and of one with many, each of which has
//! answered once. Every app has a guest of its own; equal guests would share their code.

use crate::{
    host::{self, App},
    http, paths,
    report::{Budget, Line, Unit},
    samples::Samples,
    settings::Settings,
};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// 1,000 idle apps in 1 GiB.
const BUDGET: Budget = Budget::AtMost((1 << 20) as f64 / 1000.0);
const PATIENCE: Duration = Duration::from_secs(60);
/// Until the memory of the calls is given back.
const SETTLE: Duration = Duration::from_secs(1);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    // Kept: to compile hundreds of guests takes longer than everything else here.
    let folder = paths::kept("idle_memory")?;
    let hello = fs::read(paths::guest("hello")?)?;
    let names: Vec<_> = (0..=settings.idle_apps)
        .map(|number| format!("idle-{number}"))
        .collect();
    let guests = names
        .iter()
        .map(|name| copy(&hello, name, &folder))
        .collect::<Result<Vec<_>>>()?;
    let alone = resident(settings, &folder, &names[..1], &guests[..1])?;
    let together = resident(settings, &folder, &names, &guests)?;
    let (mut host, mut each) = (Samples::default(), Samples::default());
    host.push(alone);
    each.push((together - alone) / settings.idle_apps as f64);
    let what = format!("per app, of {}", settings.idle_apps);
    Ok(vec![
        Line::alone("host with one app", Unit::Kibibytes, &host, Budget::None),
        Line::alone(&what, Unit::Kibibytes, &each, BUDGET),
    ])
}

/// The same guest with other bytes: a custom section at its end.
fn copy(guest: &[u8], name: &str, folder: &Path) -> Result<PathBuf> {
    let length =
        u8::try_from(name.len()).context("a name that fits a section's one byte of length")?;
    let section = [&[0, length + 1, length], name.as_bytes()].concat();
    let file = folder.join(format!("{name}.wasm"));
    fs::write(&file, [guest, &section].concat())
        .with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}

fn resident(
    settings: &Settings,
    folder: &Path,
    names: &[String],
    guests: &[PathBuf],
) -> Result<f64> {
    let apps: Vec<_> = names
        .iter()
        .zip(guests)
        .map(|(name, guest)| App::fresh(name, guest))
        .collect();
    let host = host::run_apps(settings, folder, &host::in_memory()?, &apps)?;
    for name in names {
        http::get(host.address, &format!("/{name}"), PATIENCE)?;
    }
    thread::sleep(SETTLE);
    Ok(host.resident_kib()? as f64)
}
