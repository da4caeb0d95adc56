//! Where things lie in the repository.

use crate::command;
use anyhow::{Context, Result};
use serde_json::Value;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Beginnings of variables that cargo sets for a program (The Cargo Book, "Environment Variables").
const OF_THIS_PACKAGE: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"];

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
    command("cargo")
}

/// A program, run at the top folder, that is or starts cargo. It is not told what `cargo run` tells of this package: crates
/// that look at it would be compiled once more by whoever runs cargo himself.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THIS_PACKAGE
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
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
