//! C guests: bindings by wit-bindgen, compiled by clang with wasi-libc, made a component by wit-component.

use super::{debian, world};
use crate::command;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wit_bindgen_core::Files;

const TARGET: &str = "--target=wasm32-wasi";
const PACKAGES: [&str; 4] = ["clang", "lld", "wasi-libc", "libclang-rt-dev-wasm32"];

/// Installs clang for Wasm where it is missing.
pub fn ensure() -> Result<String> {
    if !is_complete() {
        debian::install(&PACKAGES, "the C compiler for Wasm")?;
    }
    let version = command::output(Command::new("clang").arg("-dumpversion"))?;
    Ok(format!("clang {} with wasi-libc", version.trim()))
}

/// Whether a program with the C library links.
fn is_complete() -> bool {
    let Ok(dir) = tempfile::tempdir() else {
        return false;
    };
    let (source, output) = (dir.path().join("empty.c"), dir.path().join("empty.wasm"));
    fs::write(&source, "int main(void) { return 0; }").is_ok()
        && command::succeeds(
            Command::new("clang")
                .arg(TARGET)
                .arg(source)
                .arg("-o")
                .arg(output),
        )
}

/// Builds the C files of a folder into a component for the world `traced-service`.
pub fn build(folder: &Path, output: &Path) -> Result<()> {
    ensure()?;
    let work = tempfile::tempdir()?;
    let mut inputs = generate_bindings(work.path())?;
    inputs.extend(sources(folder)?);
    let core = work.path().join("core.wasm");
    let mut clang = Command::new("clang");
    clang
        .args([
            TARGET,
            "-mexec-model=reactor",
            "-Os",
            "-Wall",
            "-Wextra",
            "-Werror",
        ])
        .arg("-I")
        .arg(work.path())
        .args(inputs)
        .arg("-o")
        .arg(&core);
    command::run(&mut clang)?;
    fs::write(
        output,
        berth_toolchains::encode_component(&fs::read(core)?)?,
    )
    .with_context(|| format!("writing {}", output.display()))
}

/// Writes the bindings and returns what has to be compiled or linked.
fn generate_bindings(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut resolve, world) = world::load("traced-service")?;
    let mut files = Files::default();
    let options = wit_bindgen_c::Opts {
        // What the sources call it: names of types begin with it.
        rename_world: Some("service".to_owned()),
        ..Default::default()
    };
    options.build().generate(&mut resolve, world, &mut files)?;
    let mut inputs = Vec::new();
    for (name, content) in files.iter() {
        let path = folder.join(name);
        fs::write(&path, content)?;
        if !name.ends_with(".h") {
            inputs.push(path);
        }
    }
    Ok(inputs)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}
