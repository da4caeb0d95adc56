//! `cargo xtask bench`: the benchmarks, in the release profile.

use crate::{command, guests, repository};
use anyhow::Result;

/// Builds the guests that the benchmarks drive, then runs them.
pub fn run(arguments: &[String]) -> Result<()> {
    guests::build(guests::Group::Hostile)?;
    let mut bench = repository::cargo();
    bench
        .args(["run", "--release", "--package", "berth-bench", "--"])
        .args(arguments);
    command::run(&mut bench)
}
