//! How a file is opened. Backends that share a file need the same options.

use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt, time::Duration};

/// When a commit counts as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// After the disk has it: survives a power failure.
    #[default]
    Full,
    /// After the operating system has it: survives a killed host, but a power failure may undo the last commits.
    Normal,
}

/// How the file protects a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Journal {
    /// Write-ahead log: readers run beside the writer.
    #[default]
    Wal,
    /// Rollback journal, for network file systems: reads wait for writes.
    Delete,
}

/// How a file is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// When a commit counts as stored.
    pub synchronous: Synchronous,
    /// How the file protects a transaction.
    pub journal: Journal,
    /// How long a transaction waits for another process that holds the file.
    pub busy_timeout: Duration,
}

impl Options {
    /// Dapr's default.
    pub const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
}

impl Default for Options {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::default(),
            journal: Journal::default(),
            busy_timeout: Self::BUSY_TIMEOUT,
        }
    }
}

/// In the words of the metadata.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let synchronous = match self.synchronous {
            Synchronous::Full => "full",
            Synchronous::Normal => "normal",
        };
        let disable_wal = self.journal == Journal::Delete;
        let busy_timeout = self.busy_timeout;
        write!(
            f,
            "synchronous={synchronous} disableWAL={disable_wal} busyTimeout={busy_timeout:?}"
        )
    }
}
