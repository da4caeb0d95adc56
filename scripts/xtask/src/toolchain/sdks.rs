//! Dapr's official SDKs, for the tests that use them as clients: `tests/sdk`.

use super::{javascript, python, stamp::Stamp};
use crate::{command, repository};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const TYPESCRIPT: [&str; 5] = [
    "tests/sdk/typescript/package.json",
    "tests/sdk/typescript/package-lock.json",
    "tests/sdk/typescript/tsconfig.json",
    "tests/sdk/typescript/client.ts",
    // A program that runs as a guest, too: the official SDK's types must accept it.
    "tests/guests/sdk-typescript/src/official.ts",
];

/// Installs both and compiles the programs in TypeScript.
pub fn ensure() -> Result<String> {
    Ok(format!("{}, {}", typescript()?, python()?))
}

fn typescript() -> Result<String> {
    let folder = repository::tools().join("sdk-typescript");
    let files = TYPESCRIPT.map(repository::path);
    let stamp = Stamp::new(&folder, &files)?;
    if !stamp.is_current() {
        stamp.clear()?;
        for file in &files {
            let name = file.file_name().unwrap_or_default();
            fs::copy(file, folder.join(name))
                .with_context(|| format!("copying {}", file.display()))?;
        }
        javascript::install(&folder)?;
        let mut compile = Command::new("node");
        compile
            .current_dir(&folder)
            .args(["node_modules/typescript/bin/tsc", "--project", "."]);
        command::run_quietly(&mut compile).context("compiling client.ts and official.ts")?;
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
