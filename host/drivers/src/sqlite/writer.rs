//! The only thread that writes to a file.
//!
//! It takes a job, then whatever else waits, and commits all of it at once: with many callers each fsync serves many,
//! with one caller nothing waits for company.

use super::{
    EngineError, Location,
    job::{Ran, WriteJob},
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Jobs that may wait; further callers wait for a place.
const QUEUE_JOBS: usize = 1_024;

/// Most jobs in one transaction.
const BATCH_JOBS: usize = 512;

/// How long a transaction takes jobs in, so that the first does not wait for all the others.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// The writer thread of one file and the way to it.
#[derive(Debug)]
pub(super) struct Writer {
    /// Taken at the end: the thread finishes what waits.
    jobs: Option<mpsc::Sender<Box<dyn WriteJob>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, location: &Location) -> Self {
        let (jobs, waiting) = mpsc::channel(QUEUE_JOBS);
        let location = location.clone();
        let thread = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || serve(connection, waiting, &location))
            .map_err(
                |error| tracing::error!(%error, "cannot start the writer thread of a database"),
            )
            .ok();
        Self {
            jobs: Some(jobs),
            thread,
        }
    }

    /// Waits for a place in the queue. Without a thread the job is dropped, and its caller learns that.
    pub(super) async fn send(&self, job: Box<dyn WriteJob>) {
        if let Some(jobs) = &self.jobs {
            drop(jobs.send(job).await);
        }
    }

    /// Finishes what waits and closes the file.
    pub(super) fn close(&mut self) {
        self.jobs = None;
        // The last owner may be a value that a job held: a thread cannot wait for itself.
        let elsewhere = |thread: &JoinHandle<()>| thread.thread().id() != thread::current().id();
        if let Some(thread) = self.thread.take().filter(elsewhere) {
            drop(thread.join());
        }
    }
}

fn serve(
    mut connection: Connection,
    mut jobs: mpsc::Receiver<Box<dyn WriteJob>>,
    location: &Location,
) {
    let mut batch = Vec::with_capacity(BATCH_JOBS);
    while let Some(first) = jobs.blocking_recv() {
        let committed = commit(&mut connection, first, &mut jobs, &mut batch);
        let committed = committed.map_err(|error| EngineError::of(location, &error));
        for job in batch.drain(..) {
            job.answer(location, committed.clone());
        }
    }
    close(connection, location);
}

/// Runs `first` and what waits behind it in one transaction. All of them end up in `batch`, to be answered.
fn commit(
    connection: &mut Connection,
    first: Box<dyn WriteJob>,
    jobs: &mut mpsc::Receiver<Box<dyn WriteJob>>,
    batch: &mut Vec<Box<dyn WriteJob>>,
) -> Result<(), rusqlite::Error> {
    let begun = Transaction::new(connection, TransactionBehavior::Immediate);
    batch.push(first);
    let transaction = match begun {
        Ok(transaction) => transaction,
        Err(error) => {
            // Whoever waits would meet the same obstacle after the same wait.
            take_waiting(jobs, batch);
            return Err(error);
        }
    };
    let until = Instant::now() + BATCH_TIME;
    let mut next = batch.pop();
    while let Some(mut job) = next {
        let ran = run_alone(&transaction, job.as_mut());
        batch.push(job);
        ran?;
        let room = batch.len() < BATCH_JOBS && Instant::now() < until;
        next = if room { jobs.try_recv().ok() } else { None };
    }
    transaction.commit()
}

/// Runs a job so that its failure leaves no trace in the transaction. An error means that the transaction is gone.
fn run_alone(transaction: &Transaction<'_>, job: &mut dyn WriteJob) -> Result<(), rusqlite::Error> {
    transaction.prepare_cached("SAVEPOINT job")?.execute([])?;
    let ran = catch_unwind(AssertUnwindSafe(|| job.run(transaction))).unwrap_or(Ran::Failed(None));
    if let Ran::Failed(cause) = ran {
        // On a full or failing disk the engine may end the transaction on its own.
        if let (true, Some(cause)) = (transaction.is_autocommit(), cause) {
            return Err(rusqlite::Error::SqliteFailure(cause, None));
        }
        transaction.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    transaction.prepare_cached("RELEASE job")?.execute([])?;
    Ok(())
}

fn take_waiting(jobs: &mut mpsc::Receiver<Box<dyn WriteJob>>, batch: &mut Vec<Box<dyn WriteJob>>) {
    while batch.len() < BATCH_JOBS
        && let Ok(job) = jobs.try_recv()
    {
        batch.push(job);
    }
}

/// The next start finds one file and no log to replay.
fn close(connection: Connection, location: &Location) {
    let checkpoint = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let closed = connection.close().map_err(|(_, error)| error);
    if let Err(error) = checkpoint.and(closed) {
        tracing::warn!(%location, %error, "closing a database: its log stays and is read at the next start");
    }
}
