//! JavaScript guests: componentize-js, through its API.

use super::debian;
use super::stamp::Stamp;
use crate::{command, repository};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The script that calls the API, beside the files that pin its version.
const SCRIPT: &str = "build.js";
const PINS: [&str; 2] = ["package.json", "package-lock.json"];

fn sources() -> PathBuf {
    repository::path("tests/guests/contract/js")
}

fn folder() -> PathBuf {
    repository::tools().join("javascript")
}

/// Installs the pinned componentize-js.
pub fn ensure() -> Result<String> {
    let stamp = Stamp::new(&folder(), &PINS.map(|pin| sources().join(pin)))?;
    if !stamp.is_current() {
        stamp.clear()?;
        for pin in PINS {
            copy(pin)?;
        }
        install(&folder())?;
        stamp.write()?;
    }
    Ok(format!("componentize-js {}", version()?))
}

/// Installs what a folder's `package-lock.json` pins.
pub fn install(folder: &Path) -> Result<()> {
    ensure_npm()?;
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    command::run_quietly(&mut npm)
}

fn ensure_npm() -> Result<()> {
    if command::succeeds(Command::new("npm").arg("--version")) {
        return Ok(());
    }
    debian::install(&["nodejs", "npm"], "Node.js with npm")
}

fn copy(file: &str) -> Result<()> {
    fs::copy(sources().join(file), folder().join(file))
        .with_context(|| format!("copying {file}"))?;
    Ok(())
}

fn version() -> Result<String> {
    let package: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(sources().join(PINS[0]))?)?;
    let version = package["dependencies"]["@bytecodealliance/componentize-js"].as_str();
    Ok(version
        .context("package.json pins no componentize-js")?
        .to_owned())
}

/// Builds `src/app.js` of a folder into a component for the world `traced-service`.
pub fn build(guest: &Path, output: &Path) -> Result<()> {
    ensure()?;
    // A module finds its dependencies from where it lies.
    copy(SCRIPT)?;
    let mut node = Command::new("node");
    node.current_dir(folder())
        .arg(SCRIPT)
        .arg(guest.join("src/app.js"))
        .arg(repository::path("wit"))
        .arg(output);
    command::run_quietly(&mut node)
}
