//! Other programs, with errors that say what was run.

use anyhow::{Context, Result, bail};
use std::process::{Command, ExitStatus, Stdio};

/// Runs a program that talks to the user itself.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("starting {}", line(command)))?;
    check(status, &line(command))
}

/// Whether a program that talked to the user itself succeeded; `line` is what was typed.
pub fn check(status: ExitStatus, line: &str) -> Result<()> {
    if !status.success() {
        bail!("{line} failed: {status}");
    }
    Ok(())
}

/// Runs a program whose output matters only when it fails.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// The standard output of a program. Its standard error is part of the error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {}", line(command)))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{} failed: {}\n{stdout}{stderr}",
            line(command),
            output.status
        );
    }
    Ok(stdout)
}

/// Whether a program starts and succeeds.
pub fn succeeds(command: &mut Command) -> bool {
    output(command).is_ok()
}

/// The command as one would type it.
pub fn line(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    format!("`{}`", words.join(" "))
}
