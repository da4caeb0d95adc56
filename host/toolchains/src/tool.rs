//! Running a tool.

use crate::Error;
use anyhow::{Context, anyhow};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Waits until nobody else installs into a folder of tools, which projects may share. Held until it is dropped.
pub fn lock(folder: &Path) -> Result<File, Error> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    file.lock()
        .with_context(|| format!("locking {}", path.display()))?;
    Ok(file)
}

/// Whether a command can be run and succeeds.
pub fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a tool that installs something: what it says is shown only if it fails.
pub fn run_quietly(command: &mut Command) -> Result<(), Error> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("running {command:?}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::Other(anyhow!(
        "{command:?} failed with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&said).trim()
    )))
}

/// Runs a compiler, which writes to stderr on its own; `line` gets each line of its stdout. Whether it succeeded.
pub fn compile(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool, Error> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {command:?}"))?;
    let stdout = child.stdout.take().context("the compiler has no output")?;
    for text in BufReader::new(stdout).lines() {
        line(&text.context("reading what the compiler says")?);
    }
    Ok(child.wait().context("waiting for the compiler")?.success())
}
