//! Python: componentize-py, in an environment of its own.

use crate::{
    Built, Error,
    carried::{self, unpack},
    project::Project,
    stamp::Stamp,
    tool,
};
use anyhow::Context;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const PIN: &str = "componentize-py==0.25.1";
const DEFAULT_WORLD: &str = "berth:guest/service";
const DEFAULT_MODULE: &str = "app";
/// Folders that hold no source of the program.
const NOT_SOURCE: [&str; 4] = ["__pycache__", "node_modules", "target", "venv"];

/// Builds the project, unless nothing has changed.
pub fn build(project: &Project, say: &dyn Fn(&str)) -> Result<Built, Error> {
    let module = project.settings.entry.as_deref().unwrap_or(DEFAULT_MODULE);
    let world = project.settings.world.as_deref().unwrap_or(DEFAULT_WORLD);
    let made_by = format!(
        "{} {PIN} {module} {world} {}",
        carried::version(),
        project.output.display()
    );
    let note = project.work().join("made-from.json");
    if !project.force && Stamp::current(&note, &made_by, &project.output).is_some() {
        return Ok(built(project, true));
    }
    let tools = install_tools(&project.tools, say)?;
    let draft = project.output.with_extension("wasm.draft");
    let mut componentize = Command::new(tools.join("venv/bin/componentize-py"));
    componentize
        // Byte code beside the source would be newer than the guest.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(&project.folder)
        .arg("--wit-path")
        .arg(tools.join("wit"))
        .args([
            "--world",
            world,
            "componentize",
            "--python-path",
            ".",
            "--output",
        ])
        .arg(&draft)
        .arg(module);
    if !tool::compile(&mut componentize, |_| {})? {
        return Err(Error::Compiler {
            tool: "componentize-py",
        });
    }
    // Renamed into place, so that a running host never sees half a guest.
    fs::rename(&draft, &project.output)
        .with_context(|| format!("writing {}", project.output.display()))?;
    let mut inputs = vec![project.folder.join("pyproject.toml")];
    sources(&project.folder, &mut inputs)?;
    Stamp::of(made_by, inputs).write(&note)?;
    Ok(built(project, false))
}

fn built(project: &Project, unchanged: bool) -> Built {
    Built {
        output: project.output.clone(),
        language: project.language,
        unchanged,
        warnings: Vec::new(),
        offers: Vec::new(),
    }
}

pub fn install_tools(tools: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    let folder = tools.join("python");
    let note = folder.join("made-from");
    let made_from = format!("{PIN} {}", carried::version());
    if fs::read_to_string(&note).is_ok_and(|there| there == made_from) {
        return Ok(folder);
    }
    let _lock = tool::lock(&folder)?;
    if !folder.join("venv/bin/componentize-py").is_file() {
        say("installing the Python toolchain (once)");
        create_environment(&folder)?;
    }
    // The same folder as of an earlier version may hold another pin.
    let mut pip = Command::new(folder.join("venv/bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", PIN]);
    tool::run_quietly(&mut pip)?;
    unpack("wit/deps", &folder.join("wit/deps"), str::to_owned)?;
    fs::write(folder.join("wit/berth.wit"), carried::file("wit/berth.wit"))?;
    fs::write(&note, made_from)?;
    Ok(folder)
}

fn create_environment(folder: &Path) -> Result<(), Error> {
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(folder.join("venv"));
    tool::run_quietly(&mut venv).map_err(|error| {
        Error::wrong(
            format!("no environment for Python tools could be made: {error}"),
            "install Python 3 with venv (Debian: apt-get install python3 python3-venv)",
        )
    })
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && !name.starts_with('.') && !NOT_SOURCE.contains(&name.as_str()) {
            // A folder too: a new module in it changes it.
            found.push(path.clone());
            sources(&path, found)?;
        } else if name.ends_with(".py") {
            found.push(path);
        }
    }
    Ok(())
}
