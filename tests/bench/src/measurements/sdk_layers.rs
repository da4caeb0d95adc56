//! What the layers of an SDK cost: the template of `berth new`, which reads the state store once per request, beside a guest
//! that does the same over the bindings alone (`tests/guests/visits`), built by the same toolchain.

use super::languages::{NAME, app, as_it_is, guest, project};
use crate::{
    host::{self, REUSE},
    paths,
    peers::wrk,
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Makes the component of a module: its path, the component's, and a folder for what lies between.
const COMPONENT: &str = "\
import { readFileSync, writeFileSync } from 'node:fs';
const [tools, source, output, work] = process.argv.slice(1);
const { component } = await import(`${tools}/sdk/build/component.mjs`);
const imports = ['berth:state/store@0.1.0', 'wasi:http/types@0.2.10'];
const code = readFileSync(source, 'utf8');
writeFileSync(output, await component(code, imports, [{ name: 'wasi:http/incoming-handler@0.2.10' }], work));
";

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    wrk::ensure()?;
    let folder = paths::scratch("sdk_layers")?;
    let mut lines = Vec::new();
    for language in ["rust", "js"] {
        let folder = folder.join(language);
        fs::create_dir(&folder).context("making the folder of a language")?;
        let sdk = guest(&project(settings, language, as_it_is, &folder)?);
        let raw = match language {
            "rust" => paths::guest("visits")?,
            _ => javascript(&folder)?,
        };
        for (instances, reuse) in [("fresh", 1), ("used", REUSE)] {
            let start = |what: &str, guest: &Path| {
                let own = folder.join(format!("{what}-{instances}"));
                fs::create_dir(&own).context("making a host's folder")?;
                host::run_apps(settings, &own, &host::in_memory()?, &[app(guest, reuse)])
            };
            let (sdk, raw) = (start("sdk", &sdk)?, start("raw", &raw)?);
            let load =
                |host: &host::Host| wrk::load(&host.url(&format!("/{NAME}")), settings.round);
            let [sdk, raw] = alternate(
                settings.rounds,
                [Box::new(|| load(&sdk)), Box::new(|| load(&raw))],
            )?;
            lines.push(Line::beside(
                &format!("{language}, {instances} instances"),
                Unit::PerSecond,
                &sdk,
                ("raw bindings", &raw),
                Budget::None,
            ));
        }
    }
    Ok(lines)
}

/// The guest in JavaScript, by the tools that built the template.
fn javascript(folder: &Path) -> Result<PathBuf> {
    let tools = fs::read_dir(paths::kept("tools")?.join("javascript"))?;
    let tools = tools.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = tools
        .filter(|path| path.join("sdk/build/component.mjs").is_file())
        .max_by_key(|path| fs::metadata(path).and_then(|found| found.modified()).ok());
    let output = folder.join("raw.wasm");
    let built = Command::new("node")
        .args(["--input-type=module", "-e", COMPONENT])
        .arg(newest.context("no tools for JavaScript")?)
        .arg(paths::root().join("tests/guests/visits/visits.js"))
        .arg(&output)
        .arg(folder.join("raw"))
        .output()
        .context("running node")?;
    let said = String::from_utf8_lossy(&built.stderr);
    ensure!(
        built.status.success(),
        "the raw guest was not built: {said}"
    );
    Ok(output)
}
