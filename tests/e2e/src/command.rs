//! Commands of the binary that end by themselves.

use crate::paths;
use anyhow::{Context, Result};
use std::{env, ffi::OsStr, fmt, path::Path, process::Stdio, time::Duration};
use tokio::process::Command;

/// Longer than any command takes, a first build of a project included; one that hangs fails its test.
const BOUND: Duration = Duration::from_secs(400);

/// `berth <arguments>`, in the root of the repository.
///
/// # Errors
/// There is no binary.
pub fn berth<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Result<Berth> {
    prepared(Command::new(paths::binary()?), arguments)
}

/// The same in a network namespace.
pub(crate) fn berth_in<I: AsRef<OsStr>>(
    namespace: &str,
    arguments: impl IntoIterator<Item = I>,
) -> Result<Berth> {
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", namespace])
        .arg(paths::binary()?);
    prepared(command, arguments)
}

/// A line that somebody types in a folder, with the binary on the path.
///
/// # Errors
/// There is no binary.
pub fn shell(line: &str, folder: &Path) -> Result<Berth> {
    let binary = paths::binary()?;
    let mut path = binary
        .parent()
        .unwrap_or(Path::new("/"))
        .as_os_str()
        .to_owned();
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    let command = prepared(Command::new("bash"), ["-c", line])?;
    Ok(command.env("PATH", path).current_dir(folder))
}

fn prepared<I: AsRef<OsStr>>(
    mut command: Command,
    arguments: impl IntoIterator<Item = I>,
) -> Result<Berth> {
    command
        .current_dir(paths::repository())
        .args(arguments)
        .env("BERTH_CACHE_DIR", paths::cache()?)
        .env_remove("BERTH_DATA_DIR")
        .env_remove("NAMESPACE")
        .env_remove("RUST_LOG")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(Berth(command))
}

/// A command that has not been started.
#[derive(Debug)]
pub struct Berth(Command);

impl Berth {
    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Another working directory.
    #[must_use]
    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It cannot be started, or does not end.
    pub async fn run(mut self) -> Result<Finished> {
        let shown = format!("{:?}", self.0.as_std());
        let output = tokio::time::timeout(BOUND, self.0.output())
            .await
            .with_context(|| format!("{shown} did not end within {BOUND:?}"))?
            .with_context(|| format!("starting {shown}"))?;
        Ok(Finished {
            command: shown,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Starts it; what it writes to stdout can be read.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(mut self) -> Result<tokio::process::Child> {
        let shown = format!("{:?}", self.0.as_std());
        let started = self.0.stdout(Stdio::piped()).spawn();
        started.with_context(|| format!("starting {shown}"))
    }

    pub(crate) fn into_command(self) -> Command {
        self.0
    }
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Finished {
    command: String,
    /// Absent if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Finished {
    /// stdout as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_default()
    }

    /// Everything that it wrote.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// What an assertion shows.
impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.command)?;
        writeln!(f, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr)?;
        write!(f, "exit code {:?}", self.code)
    }
}
