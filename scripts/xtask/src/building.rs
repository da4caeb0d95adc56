//! A compilation of the host beside other work: setting up waits for the network, and tools for guests use one core.

use crate::command;
use anyhow::{Context, Result};
use std::process::{Child, Command};

/// Ended with the value, unless it was waited for.
pub struct Building {
    command: String,
    child: Child,
}

impl Building {
    /// Starts a program that compiles, and tells about it itself.
    pub fn begin(command: &mut Command) -> Result<Self> {
        let line = command::line(command);
        let child = command
            .spawn()
            .with_context(|| format!("starting {line}"))?;
        let command = line;
        Ok(Self { command, child })
    }

    /// Waits for it.
    pub fn finish(mut self) -> Result<()> {
        let status = self.child.wait();
        let status = status.with_context(|| format!("waiting for {}", self.command))?;
        command::check(status, &self.command)
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        // It has ended, or something else failed first and this is no longer needed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
