//! Guests as their authors build them: what `berth build` does, with its toolchains kept beside ours.

use crate::repository;
use anyhow::{Context, Result, anyhow};
use berth_toolchains::{Error, Language, Request};
use std::path::{Path, PathBuf};

/// Where the toolchains are.
pub fn tools() -> PathBuf {
    repository::tools().join("berth")
}

/// Installs the toolchain of JavaScript, which several tests use at once.
pub fn ensure() -> Result<String> {
    berth_toolchains::install(Language::JavaScript, &tools(), &|step| println!("{step}"))
        .map_err(explained)?;
    Ok("JavaScript".to_owned())
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
