//! Dapr's official SDKs, for the tests that use them as clients: `tests/sdk`.

use super::{javascript, python, stamp::Stamp};
use crate::{command, repository};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const TYPESCRIPT: [&str; 4] = [
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "client.ts",
];

/// Installs both and compiles the program in TypeScript.
pub fn ensure() -> Result<String> {
    Ok(format!("{}, {}", typescript()?, python()?))
}

fn typescript() -> Result<String> {
    let sources = repository::path("tests/sdk/typescript");
    let folder = repository::tools().join("sdk-typescript");
    let files = TYPESCRIPT.map(|file| sources.join(file));
    let stamp = Stamp::new(&folder, &files)?;
    if !stamp.is_current() {
        stamp.clear()?;
        for (file, from) in TYPESCRIPT.iter().zip(&files) {
            fs::copy(from, folder.join(file)).with_context(|| format!("copying {file}"))?;
        }
        javascript::install(&folder)?;
        let mut compile = Command::new("node");
        compile
            .current_dir(&folder)
            .args(["node_modules/typescript/bin/tsc", "--project", "."]);
        command::run_quietly(&mut compile).context("compiling client.ts")?;
        stamp.write()?;
    }
    let package: serde_json::Value = serde_json::from_str(&fs::read_to_string(&files[0])?)?;
    let version = package["dependencies"]["@dapr/dapr"].as_str();
    let version = version.context("package.json pins no @dapr/dapr")?;
    Ok(format!("@dapr/dapr {version}"))
}

fn python() -> Result<String> {
    let requirements = repository::path("tests/sdk/python/requirements.txt");
    python::environment_of(&folder_of_python(), &requirements)
}

fn folder_of_python() -> PathBuf {
    repository::tools().join("sdk-python")
}
