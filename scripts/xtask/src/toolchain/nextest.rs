//! cargo-nextest, which runs the tests.

use crate::command;
use anyhow::{Context, Result};
use std::process::Command;

/// Compiles cargo-nextest where it is missing.
pub fn ensure() -> Result<String> {
    if let Ok(version) = version() {
        return Ok(version);
    }
    println!("compiling cargo-nextest, which takes some minutes");
    command::run_quietly(Command::new("cargo").args(["install", "--locked", "cargo-nextest"]))?;
    version()
}

fn version() -> Result<String> {
    let output = command::output(Command::new("cargo").args(["nextest", "--version"]))?;
    let first = output
        .lines()
        .next()
        .context("cargo-nextest tells no version")?;
    Ok(first.split(" (").next().unwrap_or(first).to_owned())
}
