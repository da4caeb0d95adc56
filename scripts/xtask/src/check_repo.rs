//! `cargo xtask check-repo`: rules that no compiler checks. All that is wrong is listed at once.

use crate::{command, frozen_wit, repository};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// What lies at the top, besides entries that begin with a dot.
const TOP: [&str; 12] = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "components",
    "guest-examples",
    "host",
    "scripts",
    "tests",
    "wit",
];

/// Crates that compile without wasmtime, so that what they hold is tested in seconds.
const WITHOUT_WASMTIME: &[&str] = &[
    "berth-resources",
    "berth-resiliency",
    "berth-blocks",
    "berth-drivers",
    "berth-mesh",
    "berth-workflow",
    "berth-toolchains",
];

/// Checks every rule.
pub fn run() -> Result<()> {
    let mut problems = top_level()?;
    for manifest in manifests()? {
        let text = fs::read_to_string(&manifest).with_context(|| format!("reading {manifest}"))?;
        problems.extend(
            manifest_problems(&text)
                .into_iter()
                .map(|problem| format!("{manifest}: {problem}")),
        );
    }
    for package in WITHOUT_WASMTIME {
        problems.extend(wasmtime_in(package)?);
    }
    if let Err(error) = frozen_wit::check() {
        problems.push(format!("{error:#}"));
    }
    if !problems.is_empty() {
        bail!(
            "{} problem(s) in the repository:\n- {}",
            problems.len(),
            problems.join("\n- ")
        );
    }
    Ok(())
}

fn top_level() -> Result<Vec<String>> {
    let files = command::output(
        std::process::Command::new("git")
            .current_dir(repository::root())
            .arg("ls-files"),
    )?;
    let mut unknown: Vec<_> = files
        .lines()
        .filter_map(|file| file.split('/').next())
        .filter(|entry| !entry.starts_with('.') && !TOP.contains(entry))
        .collect();
    unknown.dedup();
    Ok(unknown
        .into_iter()
        .map(|entry| format!("`{entry}` does not belong at the top of the repository"))
        .collect())
}

/// Manifests of all members.
fn manifests() -> Result<Vec<String>> {
    let metadata = repository::metadata()?;
    let packages = metadata["packages"]
        .as_array()
        .context("`cargo metadata` lists no packages")?;
    let paths = packages
        .iter()
        .filter_map(|package| package["manifest_path"].as_str());
    Ok(paths.map(relative).collect())
}

fn relative(path: &str) -> String {
    let path = Path::new(path);
    path.strip_prefix(repository::root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// What breaks the rules in the manifest of a member.
fn manifest_problems(manifest: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut section = "";
    let mut has_lints = false;
    for line in manifest
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if section == "lints" && line == "workspace = true" {
            has_lints = true;
        } else if section.ends_with("dependencies") && !line.contains("workspace = true") {
            problems.push(format!(
                "`{line}` should come from [workspace.dependencies]"
            ));
        }
    }
    if !has_lints {
        problems.push("`[lints] workspace = true` is missing".to_owned());
    }
    problems
}

fn wasmtime_in(package: &str) -> Result<Option<String>> {
    let tree = command::output(repository::cargo().args([
        "tree",
        "--quiet",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--package",
        package,
    ]))?;
    let found = tree.lines().find(|line| line.starts_with("wasmtime"));
    Ok(found.map(|line| format!("{package} depends on {line}, but must compile without wasmtime")))
}

#[cfg(test)]
mod tests {
    use super::manifest_problems;

    #[test]
    fn a_manifest_that_takes_all_from_the_workspace_is_fine() {
        let manifest = "[lints]\nworkspace = true\n\n[dependencies]\nanyhow.workspace = true\n\
                        clap = { workspace = true, features = [\"env\"] }\n";
        assert_eq!(manifest_problems(manifest), Vec::<String>::new());
    }

    #[test]
    fn a_version_of_its_own_and_missing_lints_are_both_reported() {
        let manifest = "[dev-dependencies]\nrand = \"0.10\"\n";
        let expected = [
            "`rand = \"0.10\"` should come from [workspace.dependencies]",
            "`[lints] workspace = true` is missing",
        ];
        assert_eq!(manifest_problems(manifest), expected);
    }
}
