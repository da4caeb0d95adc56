//! Where things lie in the repository.

use crate::command;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The top folder of the repository.
pub fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest)
}

/// A path below the top folder.
pub fn path(relative: &str) -> PathBuf {
    root().join(relative)
}

/// Where built test guests go. Tests look here, wherever cargo's own output is.
pub fn guests() -> PathBuf {
    path("target/guests")
}

/// Tools that only this repository uses, in the versions that it pins.
pub fn tools() -> PathBuf {
    path("target/tools")
}

/// `cargo`, run at the top folder.
pub fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root());
    cargo
}

/// Where cargo puts a binary in the dev profile.
pub fn built(binary: &str) -> Result<PathBuf> {
    let metadata = metadata()?;
    let target = metadata["target_directory"].as_str();
    let target = target.context("`cargo metadata` names no target directory")?;
    Ok(Path::new(target).join("debug").join(binary))
}

/// The members of the workspace, as cargo sees them.
pub fn metadata() -> Result<Value> {
    let text = command::output(cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    serde_json::from_str(&text).context("reading the output of `cargo metadata`")
}
