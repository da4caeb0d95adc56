//! Guests as their authors build them: what `berth build` does, with its toolchains kept beside ours.

use crate::repository;
use anyhow::{Context, Result, anyhow};
use berth_toolchains::{Error, Language, Request};
use std::path::{Path, PathBuf};

/// Where the toolchains are.
pub fn tools() -> PathBuf {
    repository::tools().join("berth")
}

/// Installs the toolchains that several tests use at once.
pub fn ensure() -> Result<String> {
    for language in [Language::JavaScript, Language::Python, Language::Go] {
        install(language)?;
    }
    Ok("JavaScript, Python, Go".to_owned())
}

/// The Python SDK over bindings that do nothing, which its fakes are put over.
pub fn python_sdk() -> Result<PathBuf> {
    Ok(install(Language::Python)?.join("site"))
}

/// The Python of its toolchain.
pub fn python() -> PathBuf {
    tools().join("python/venv/bin/python")
}

/// The compiler of Go.
pub fn go() -> Result<PathBuf> {
    install(Language::Go)
}

fn install(language: Language) -> Result<PathBuf> {
    let say = |step: &str| println!("{step}");
    berth_toolchains::install(language, &tools(), &say).map_err(explained)
}

/// Builds a project.
pub fn build(folder: &Path, output: &Path) -> Result<()> {
    let request = Request {
        project: folder.to_owned(),
        language: None,
        output: Some(output.to_owned()),
        tools: Some(tools()),
        colours: false,
        // Whoever asks knows that it is stale.
        force: true,
    };
    let built = berth_toolchains::build(&request, &|step| println!("{step}"));
    built
        .map_err(explained)
        .with_context(|| format!("building {}", folder.display()))?;
    Ok(())
}

fn explained(error: Error) -> anyhow::Error {
    match error {
        Error::Wrong { message, hint } => anyhow!("{message} ({hint})"),
        error => anyhow!(error),
    }
}
