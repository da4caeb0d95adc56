//! Python guests: componentize-py in an environment of its own.

use super::debian;
use super::stamp::Stamp;
use crate::{command, repository};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

fn requirements() -> PathBuf {
    repository::path("tests/guests/contract/python/requirements.txt")
}

fn environment() -> PathBuf {
    repository::tools().join("python")
}

/// Makes the environment with the pinned componentize-py.
pub fn ensure() -> Result<String> {
    environment_of(&environment(), &requirements())
}

/// Makes an environment with what a file of requirements pins, and says what that is.
pub fn environment_of(environment: &Path, requirements: &Path) -> Result<String> {
    let stamp = Stamp::new(environment, &[requirements.to_path_buf()])?;
    if !stamp.is_current() {
        stamp.clear()?;
        create_environment(environment)?;
        let mut pip = Command::new(environment.join("bin/pip"));
        pip.args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(requirements);
        command::run_quietly(&mut pip)?;
        stamp.write()?;
    }
    let pins = std::fs::read_to_string(requirements)?;
    Ok(pins.trim().replace("==", " "))
}

fn create_environment(environment: &Path) -> Result<()> {
    let create = || {
        command::run_quietly(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(environment),
        )
    };
    if create().is_err() {
        debian::install(&["python3", "python3-venv"], "Python with venv")?;
        create()?;
    }
    Ok(())
}

/// Builds the module `app` of a folder into a component for the world `traced-service`.
pub fn build(folder: &Path, output: &Path) -> Result<()> {
    ensure()?;
    let mut componentize = Command::new(environment().join("bin/componentize-py"));
    componentize
        // Byte code beside the source would be newer than the guest.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder)
        .arg("--wit-path")
        .arg(repository::path("wit"))
        .args([
            "--world",
            "berth:guest/traced-service",
            "componentize",
            "--python-path",
            ".",
            "--output",
        ])
        .arg(output)
        .arg("app");
    command::run_quietly(&mut componentize).context("componentize-py")
}
