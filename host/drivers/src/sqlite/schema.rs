//! Tables of our own drivers: numbered steps, applied once per file.
//!
//! Dapr's tables keep Dapr's record of migrations; everything else is recorded in `berth_schema`.

use super::{EngineError, JobError, Location, refused};
use berth_blocks::registry::OpenError;
use rusqlite::{OptionalExtension, Transaction};

/// Why tables could not be brought to the newest form.
#[derive(Debug)]
pub(super) enum MigrationError {
    Engine(EngineError),
    /// The file holds this version, newer than this build.
    Newer(u32),
}

impl From<EngineError> for MigrationError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl MigrationError {
    pub(super) fn open_error(self, location: &Location) -> OpenError {
        OpenError::Backend(match self {
            Self::Engine(error) => format!("preparing tables: {error}"),
            Self::Newer(version) => format!(
                "{location} was written by a newer berth (tables of version {version}): use that version or another file"
            ),
        })
    }
}

/// Applies the steps that the file has not seen, in order.
pub(super) fn migrate(
    transaction: &Transaction<'_>,
    owner: &str,
    steps: &[&str],
) -> Result<(), JobError<MigrationError>> {
    // Changes nothing where the table is: a start of many hosts is a second one, and then needs no fsync.
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS berth_schema (owner TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
    )?;
    let version: Option<u32> = transaction
        .query_row(
            "SELECT version FROM berth_schema WHERE owner = ?1",
            [owner],
            |row| row.get(0),
        )
        .optional()?;
    let version = version.unwrap_or(0);
    let Some(missing) = steps.get(version as usize..) else {
        return refused(MigrationError::Newer(version));
    };
    if missing.is_empty() {
        return Ok(());
    }
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.execute(
        "INSERT OR REPLACE INTO berth_schema (owner, version) VALUES (?1, ?2)",
        (owner, i64::try_from(steps.len()).unwrap_or(i64::MAX)),
    )?;
    Ok(())
}
