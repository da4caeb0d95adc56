//! Bare SQLite: one transaction, hence one flush to the disk, for every write.

use anyhow::Result;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS state (
    key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL,
    etag TEXT NOT NULL, expiration_time TIMESTAMP, update_time TIMESTAMP NOT NULL)";
const WRITE: &str = "INSERT INTO state (key, value, is_binary, etag, update_time)
    VALUES (?1, ?2, 0, hex(randomblob(16)), CURRENT_TIMESTAMP)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, etag = excluded.etag, update_time = excluded.update_time";

/// A file with the settings that `state.sqlite` has by default.
pub struct Sqlite(Mutex<Connection>);

impl Sqlite {
    pub fn open(file: &Path) -> Result<Self> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(TABLE)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Writes per second of several threads that share the connection.
    pub fn load(&self, writers: usize, value: &str, round: Duration) -> Result<f64> {
        let began = Instant::now();
        let written: Result<Vec<u64>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..writers)
                .map(|writer| scope.spawn(move || self.write_until(began + round, writer, value)))
                .collect();
            threads
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        });
        Ok(written?.iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64())
    }

    fn write_until(&self, end: Instant, writer: usize, value: &str) -> Result<u64> {
        let mut written = 0;
        while Instant::now() < end {
            let key = format!("bench||{writer}-{}", written % 1000);
            self.connection()
                .prepare_cached(WRITE)?
                .execute((&key, value))?;
            written += 1;
        }
        Ok(written)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
