//! One SQLite file, shared by every embedded driver that keeps something in it.
//!
//! ```text
//! write(job) ──▶ bounded queue ──▶ writer thread: BEGIN IMMEDIATE, many jobs, COMMIT, then every answer
//! read(job)  ──▶ bounded queue ──▶ reader threads, each with a connection of its own (WAL)
//! ```
//!
//! A file has one [`Database`] per host, found through the registry's shared connections, and so one writer: calls
//! that wait at the same time share one transaction and one fsync. Every job runs in a savepoint of its own, hence a
//! job that fails does not undo its neighbours; a commit that fails fails all of them.
//!
//! No call blocks the async runtime, none retries, and a caller that goes away does not stop its job.

mod connection;
mod error;
mod job;
mod location;
mod options;
mod readers;
mod run;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{EngineError, Fault, JobError, refused};
pub use location::Location;
pub use options::{Journal, Options, Synchronous};
pub use run::Run;

use berth_blocks::registry::{OpenContext, OpenError};
use job::{Durability, ReplyJob};
use readers::Readers;
use rusqlite::{Connection, Transaction};
use std::sync::Arc;
use tokio::sync::OnceCell;
use writer::Writer;

/// An open SQLite file. Dropped: waiting jobs are finished, the log is moved into the file, the file is closed.
#[derive(Debug)]
pub struct Database {
    location: Location,
    options: Options,
    /// Started by the first read: an app that keeps no state costs no threads. Closed before the writer, which as the
    /// last connection removes the log.
    readers: OnceCell<Readers>,
    writer: Writer,
    run: OnceCell<Run>,
}

impl Database {
    /// The database at `location`, opened if no other backend of this host has it open.
    ///
    /// # Errors
    /// The file cannot be opened or is damaged, or is open with other options.
    pub async fn shared(
        context: &OpenContext,
        location: Location,
        options: Options,
    ) -> Result<Arc<Self>, OpenError> {
        let connections = context.connections.clone();
        let opening = tokio::task::spawn_blocking(move || {
            let identity = location.identity();
            let database =
                connections.shared(&identity, || Self::open(location, options.clone()))?;
            database.check_options(&options)?;
            Ok(database)
        });
        opening
            .await
            .map_err(|error| OpenError::Backend(error.to_string()))?
    }

    /// Opens the file on this thread, which may wait for the disk.
    fn open(location: Location, options: Options) -> Result<Self, OpenError> {
        let connection = connection::open_checked(&location, &options)
            .map_err(|error| error::open_error(&location, &error))?;
        Ok(Self {
            writer: Writer::start(connection, &location, &options),
            location,
            options,
            readers: OnceCell::new(),
            run: OnceCell::new(),
        })
    }

    fn check_options(&self, wanted: &Options) -> Result<(), OpenError> {
        if self.options == *wanted {
            return Ok(());
        }
        Err(OpenError::Backend(format!(
            "{} is open with {}, not with {wanted}: backends that share a file need the same options",
            self.location, self.options
        )))
    }

    /// Runs `job` in the next transaction; the answer comes after its commit.
    ///
    /// # Errors
    /// What the job refused, or the engine's failure. Of a failed job nothing is stored.
    pub async fn write<T, E>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, JobError<E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<EngineError> + Send + 'static,
    {
        self.write_then(job, |_| ()).await
    }

    /// [`write`](Self::write), followed by `then` once the transaction holds. It runs on the writer's thread, even if
    /// the caller has gone away meanwhile.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub async fn write_then<T, E>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, JobError<E>> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<EngineError> + Send + 'static,
    {
        self.send(Durability::Disk, job, then).await
    }

    /// [`write_then`](Self::write_then) for what may happen again after a power failure, such as taking a lease: it
    /// survives a killed host, but costs no fsync of its own.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub async fn write_relaxed<T, E>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, JobError<E>> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<EngineError> + Send + 'static,
    {
        self.send(Durability::Process, job, then).await
    }

    async fn send<T, E>(
        &self,
        durability: Durability,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, JobError<E>> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<EngineError> + Send + 'static,
    {
        let (job, answer) = ReplyJob::new(durability, job, then);
        self.writer.send(Box::new(job)).await;
        answer.await.unwrap_or_else(|_| Err(self.closed().into()))
    }

    /// [`write`](Self::write) for a job that has no rule of its own.
    ///
    /// # Errors
    /// The engine's failure.
    pub async fn apply<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, EngineError> {
        self.write(move |transaction| Ok(job(transaction)?)).await
    }

    /// Runs `job` on a connection that sees everything committed before this call.
    ///
    /// # Errors
    /// What the job refused, or the engine's failure.
    pub async fn read<T, E>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, JobError<E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<EngineError> + Send + 'static,
    {
        if !Readers::are_possible(&self.location, &self.options) {
            return self.write(move |transaction| job(transaction)).await;
        }
        let readers = self
            .readers
            .get_or_try_init(|| self.start_readers())
            .await?;
        let (job, answer) = ReplyJob::new(Durability::Process, job, |_| ());
        readers.send(Box::new(job)).await;
        answer.await.unwrap_or_else(|_| Err(self.closed().into()))
    }

    async fn start_readers(&self) -> Result<Readers, EngineError> {
        let (location, options) = (self.location.clone(), self.options.clone());
        let starting = tokio::task::spawn_blocking(move || {
            Readers::start(&location, &options).map_err(|error| EngineError::of(&location, &error))
        });
        starting.await.unwrap_or_else(|_| Err(self.closed()))
    }

    /// Whether the file answers.
    ///
    /// # Errors
    /// The engine's failure.
    pub async fn ping(&self) -> Result<(), EngineError> {
        self.read(|connection| Ok(connection.query_row("SELECT 1", [], |_| Ok(()))?))
            .await
    }

    /// Brings the tables of one driver to the newest form: see [`schema`].
    pub(crate) async fn migrate(
        &self,
        owner: &'static str,
        steps: &'static [&'static str],
    ) -> Result<(), OpenError> {
        self.write(move |transaction| schema::migrate(transaction, owner, steps))
            .await
            .map_err(|error: schema::MigrationError| error.open_error(&self.location))
    }

    /// This run of the host as leases in the file know it.
    ///
    /// # Errors
    /// The engine's failure.
    pub(crate) async fn run(&self) -> Result<&Run, EngineError> {
        self.run.get_or_try_init(|| Run::begin(self)).await
    }

    /// Where the database is, for messages.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    fn closed(&self) -> EngineError {
        EngineError::new(
            Fault::Closed,
            format!("{}: the writer has stopped", self.location),
        )
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.readers.take());
        self.writer.close();
    }
}
