//! Rust guests: `cargo` for `wasm32-wasip2`.

use crate::{command, repository};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";

/// Makes the target ready and says whose it is.
pub fn describe() -> Result<String> {
    let cargo = cargo()?;
    Ok(format!("{TARGET} by {}", cargo.display()))
}

/// A cargo that compiles for the target.
fn cargo() -> Result<PathBuf> {
    if has_target()? {
        return Ok(PathBuf::from("cargo"));
    }
    // By rustup, or from Debian where rustup is missing or cannot download.
    let script = repository::path("scripts/guest-toolchain.sh");
    let prefix = repository::tools().join("rust");
    let output = command::output(Command::new(script).arg(prefix))?;
    let last = output
        .lines()
        .last()
        .context("the toolchain script printed no path")?;
    Ok(PathBuf::from(last))
}

fn has_target() -> Result<bool> {
    Ok(library(TARGET)?.join("lib").is_dir())
}

/// The compiler's folder of a target.
pub fn library(target: &str) -> Result<PathBuf> {
    let sysroot = command::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(target))
}

/// Builds packages of a guest workspace, and copies each to where it is wanted.
pub fn build(workspace: &Path, guests: &[(&str, PathBuf)]) -> Result<()> {
    let target_dir = repository::path("target/guest-build");
    let mut build = Command::new(cargo()?);
    build
        .current_dir(workspace)
        .args([
            "build",
            "--quiet",
            "--release",
            "--target",
            TARGET,
            "--target-dir",
        ])
        .arg(&target_dir);
    for (package, _) in guests {
        build.args(["--package", package]);
    }
    command::run(&mut build)?;
    for (package, output) in guests {
        let file = format!("{}.wasm", package.replace('-', "_"));
        let built = target_dir.join(TARGET).join("release").join(file);
        fs::copy(&built, output).with_context(|| format!("copying {}", built.display()))?;
    }
    Ok(())
}
