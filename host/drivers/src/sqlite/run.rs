//! Which run of a host a lease belongs to, and which runs are known to be over.
//!
//! Leases are rows, and a killed host leaves them behind. Each run has a number that is never given twice. A host
//! that finds nobody else at the file when it begins knows that every smaller number is over and may take those
//! leases at once; otherwise they run out by time.

use super::{Database, EngineError, Location};
use rusqlite::Transaction;
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

/// This run of the host.
#[derive(Debug)]
pub struct Run {
    /// The owner that this run writes into leases.
    pub id: i64,
    /// Leases of owners below this one belong to nobody.
    pub over_before: i64,
    /// Held while the run lasts; the operating system lets go of it when the process ends, however it ends.
    _presence: Option<File>,
}

impl Run {
    pub(super) async fn begin(database: &Database) -> Result<Self, EngineError> {
        let presence = Presence::announce(database.location());
        // No fsync: a lease that names this run is written after it, so whatever a power failure spares is in order.
        let id = database
            .write_relaxed(|transaction| Ok(new_id(transaction)?), |_| ())
            .await?;
        let over_before = if presence.alone { id } else { 0 };
        Ok(Self {
            id,
            over_before,
            _presence: presence.stay(),
        })
    }
}

fn new_id(transaction: &Transaction<'_>) -> Result<i64, rusqlite::Error> {
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS berth_run (id INTEGER PRIMARY KEY AUTOINCREMENT, started_at INTEGER NOT NULL) STRICT;
         DELETE FROM berth_run;
         INSERT INTO berth_run (started_at) VALUES (unixepoch())",
    )?;
    Ok(transaction.last_insert_rowid())
}

/// A lock file beside the database: exclusive while a run begins, shared while it lasts.
struct Presence {
    lock: Option<File>,
    /// Nobody else was there.
    alone: bool,
}

impl Presence {
    /// A file system without locks, or a file that cannot be made, means that others may be there.
    fn announce(location: &Location) -> Self {
        let Location::File(path) = location else {
            return Self {
                lock: None,
                alone: true,
            };
        };
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(lock_path(path))
            .ok();
        let alone = match lock.as_ref().map(File::try_lock) {
            Some(Ok(())) => true,
            Some(Err(TryLockError::WouldBlock | TryLockError::Error(_))) | None => false,
        };
        Self { lock, alone }
    }

    /// From now on others see that somebody is there. Whoever begins in between takes nothing that is in use: this
    /// run holds no lease yet.
    fn stay(self) -> Option<File> {
        self.lock.filter(|lock| lock.lock_shared().is_ok())
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-lock");
    name.into()
}
