//! `cargo xtask setup`: the tools, each made ready once.

use crate::toolchain::{c, javascript, native, nextest, project, python, rust, sdks, servers};
use anyhow::{Context, Result};
use std::time::Instant;

/// Makes one tool ready and says which.
type Step = (&'static str, fn() -> Result<String>);

const STEPS: [Step; 9] = [
    ("build", native::ensure),
    ("Rust for Wasm", rust::describe),
    ("C for Wasm", c::ensure),
    ("JavaScript for Wasm", javascript::ensure),
    ("Python for Wasm", python::ensure),
    ("berth build", project::ensure),
    ("Dapr's SDKs", sdks::ensure),
    ("test runner", nextest::ensure),
    ("servers", servers::ensure_all),
];

/// What must be there before the host is compiled beside the other steps, and what changes the toolchain that compiles it.
pub fn for_compiling() -> Result<()> {
    native::ensure()?;
    rust::describe()?;
    nextest::ensure().map(drop)
}

/// Runs every step, with a line for each.
pub fn run() -> Result<()> {
    for (name, step) in STEPS {
        let started = Instant::now();
        let ready = step().with_context(|| format!("setting up {name}"))?;
        println!(
            "{name:<20} {ready} ({:.1} s)",
            started.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
