//! `cargo xtask bench`: the benchmarks, in the release profile.

use crate::toolchain::{native, servers};
use crate::{command, guests, repository};
use anyhow::Result;
use std::process::Command;

/// Builds berth and the benchmarks, then runs them.
pub fn run(arguments: &[String]) -> Result<()> {
    prepare()?;
    // The whole workspace: a smaller selection of packages has other features and would compile wasmtime once more.
    let mut build = repository::cargo();
    build.args(["build", "--release", "--workspace"]);
    command::run(build.args(["--bin", "berth", "--bin", "berth-bench"]))?;
    let bench = repository::path("target/release/berth-bench");
    command::run(Command::new(bench).args(arguments))
}

/// Builds the guests that the benchmarks drive, and installs the servers that their peers run on.
pub fn prepare() -> Result<()> {
    native::ensure()?;
    servers::ensure_all()?;
    guests::build(guests::Group::Hostile)
}
