//! Rust: cargo, for `wasm32-wasip2`.

use crate::{Built, Error, WORK, carried, project::Project, tool};
use anyhow::Context;
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-wasip2";
const SCRIPT: &str = "scripts/guest-toolchain.sh";
/// Where the SDK lies in the binary, and below the folder `.berth` of a project.
const SDK: &str = "wit/sdk/rust";

/// In the place of what a project's profile says, which is for small guests: a change is compiled alone.
const QUICK: [&str; 4] = [
    "opt-level=1",
    "lto='off'",
    "codegen-units=16",
    "incremental=true",
];

/// Builds the package. Cargo itself knows what has changed.
pub fn build(project: &Project, say: &dyn Fn(&str)) -> Result<Built, Error> {
    build_with(project, &[], say)
}

/// Builds it for the next look at it: a change takes a tenth of the time.
pub fn build_quickly(project: &Project, say: &dyn Fn(&str)) -> Result<Built, Error> {
    build_with(project, &QUICK, say)
}

fn build_with(project: &Project, settings: &[&str], say: &dyn Fn(&str)) -> Result<Built, Error> {
    if !tool::works(Command::new("cargo").arg("--version")) {
        return Err(Error::wrong(
            "no `cargo` on the PATH",
            "install Rust, such as by https://rustup.rs",
        ));
    }
    bring_sdk(project)?;
    let mut cargo = Command::new(cargo(&project.tools, say)?);
    cargo
        .current_dir(&project.folder)
        .args(["build", "--release", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .args(["--color", if project.colours { "always" } else { "never" }]);
    for setting in settings {
        cargo
            .arg("--config")
            .arg(format!("profile.release.{setting}"));
    }
    let (mut component, mut fresh) = (None, false);
    let done = tool::compile(&mut cargo, |line| {
        if let Some((path, unchanged)) = artifact(line) {
            (component, fresh) = (Some(path), unchanged);
        }
    })?;
    if !done {
        return Err(Error::Compiler { tool: "cargo" });
    }
    let component = component.ok_or_else(|| {
        Error::wrong(
            format!("{} makes no component", project.name),
            "a guest is a library with `crate-type = [\"cdylib\"]` in [lib] of its Cargo.toml",
        )
    })?;
    let unchanged = fresh && is_same(&component, &project.output);
    if !unchanged || project.force {
        install(&component, &project.output)?;
    }
    Ok(Built {
        output: project.output.clone(),
        language: project.language,
        unchanged,
        warnings: Vec::new(),
        offers: Vec::new(),
        for_development: false,
    })
}

/// A project of `berth new` depends on the SDK by its path in the project's folder `.berth`.
fn bring_sdk(project: &Project) -> Result<(), Error> {
    let manifest = fs::read_to_string(project.folder.join("Cargo.toml"))?;
    if manifest.contains(&format!("{WORK}/{SDK}")) {
        carried::unpack_sdk(SDK, &project.folder.join(WORK))?;
    }
    Ok(())
}

/// A component that cargo reports, and whether it was there before.
fn artifact(line: &str) -> Option<(PathBuf, bool)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let mut files = message["filenames"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str);
    let component = files.find(|file| file.ends_with(".wasm"))?;
    Some((PathBuf::from(component), message["fresh"] == true))
}

fn is_same(component: &Path, output: &Path) -> bool {
    matches!((fs::read(component), fs::read(output)), (Ok(made), Ok(there)) if made == there)
}

/// Renamed into place, so that a running host never sees half a guest.
fn install(component: &Path, output: &Path) -> Result<(), Error> {
    let draft = output.with_extension("wasm.draft");
    if let Some(parent) = output.parent() {
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    fs::copy(component, &draft).with_context(|| format!("copying {}", component.display()))?;
    fs::rename(&draft, output).with_context(|| format!("writing {}", output.display()))?;
    Ok(())
}

/// A cargo that compiles for the target: the installed one, or one that the script makes.
pub fn cargo(tools: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    if has_target() {
        return Ok(PathBuf::from("cargo"));
    }
    let prefix = tools.join("rust");
    let made = prefix.join("bin/guest-cargo");
    if made.is_file() {
        return Ok(made);
    }
    say(&format!("installing Rust for {TARGET} (once)"));
    fs::create_dir_all(&prefix).with_context(|| format!("making {}", prefix.display()))?;
    let script = prefix.join("install.sh");
    fs::write(&script, carried::file(SCRIPT))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let installed = tool::run_quietly(Command::new("bash").arg(&script).arg(&prefix));
    installed.map_err(|error| {
        Error::wrong(
            format!("this Rust toolchain has no {TARGET}, and none could be installed: {error}"),
            format!("run `rustup target add {TARGET}`"),
        )
    })?;
    Ok(made)
}

fn has_target() -> bool {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    sysroot.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Path::new(&sysroot)
            .join("lib/rustlib")
            .join(TARGET)
            .join("lib")
            .is_dir()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_found_in_what_cargo_reports() {
        let line =
            r#"{"reason":"compiler-artifact","filenames":["/t/a.d","/t/a.wasm"],"fresh":true}"#;
        assert_eq!(artifact(line), Some((PathBuf::from("/t/a.wasm"), true)));
        assert_eq!(artifact(r#"{"reason":"build-finished"}"#), None);
        assert_eq!(artifact("Compiling"), None);
    }
}
