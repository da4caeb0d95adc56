//! The only thread that writes to a file.
//!
//! It takes a job, then whatever else waits, and commits all of it at once: with many callers each fsync serves many,
//! with one caller nothing waits for company.

use super::{
    EngineError, Journal, Location, Options, Synchronous,
    job::{Durability, Ran, WriteJob},
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::{
    collections::VecDeque,
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
    pub(super) fn start(connection: Connection, location: &Location, options: &Options) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE_JOBS);
        let committer = Committer {
            connection,
            jobs: queue,
            location: location.clone(),
            waiting: VecDeque::with_capacity(BATCH_JOBS),
            ran: Vec::with_capacity(BATCH_JOBS),
            durability: Durability::Disk,
            switches: options.journal == Journal::Wal && options.synchronous == Synchronous::Full,
        };
        let thread = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || committer.serve())
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

/// The thread's own state.
struct Committer {
    connection: Connection,
    jobs: mpsc::Receiver<Box<dyn WriteJob>>,
    location: Location,
    /// Taken from the queue and not yet run.
    waiting: VecDeque<Box<dyn WriteJob>>,
    /// Run in the open transaction, to be answered at its end.
    ran: Vec<Box<dyn WriteJob>>,
    /// What the connection gives now, and whether it is worth switching.
    durability: Durability,
    switches: bool,
}

impl Committer {
    fn serve(mut self) {
        while self.wait() {
            let committed = self.commit();
            let committed = committed.map_err(|error| EngineError::of(&self.location, &error));
            for job in self.ran.drain(..) {
                job.answer(&self.location, committed.clone());
            }
        }
        close(self.connection, &self.location);
    }

    /// Waits for a job and takes those behind it; `false` when there will be none.
    fn wait(&mut self) -> bool {
        if self.waiting.is_empty() {
            self.waiting.extend(self.jobs.blocking_recv());
        }
        while self.waiting.len() < BATCH_JOBS
            && let Ok(job) = self.jobs.try_recv()
        {
            self.waiting.push_back(job);
        }
        !self.waiting.is_empty()
    }

    /// Runs what waits in one transaction.
    fn commit(&mut self) -> Result<(), rusqlite::Error> {
        let durability = self.waiting.iter().map(|job| job.durability()).max();
        let durability = durability.unwrap_or(Durability::Process);
        let begun = self
            .give(durability)
            .and_then(|()| Transaction::new(&mut self.connection, TransactionBehavior::Immediate));
        let transaction = begun.inspect_err(|_| {
            // Who waits would meet the same obstacle after the same wait.
            self.ran.extend(self.waiting.drain(..));
        })?;
        let until = Instant::now() + BATCH_TIME;
        while let Some(mut job) = self.waiting.pop_front() {
            let ran = run_alone(&transaction, job.as_mut());
            self.ran.push(job);
            ran?;
            let has_room = self.ran.len() < BATCH_JOBS && Instant::now() < until;
            if self.waiting.is_empty() && has_room && durability == Durability::Disk {
                self.waiting.extend(self.jobs.try_recv());
            }
        }
        transaction.commit()
    }

    /// In a write-ahead log `NORMAL` leaves out the fsync of a commit; the next one with it covers both.
    fn give(&mut self, durability: Durability) -> Result<(), rusqlite::Error> {
        if self.switches && self.durability != durability {
            let synchronous = match durability {
                Durability::Disk => "PRAGMA synchronous = FULL",
                Durability::Process => "PRAGMA synchronous = NORMAL",
            };
            self.connection.execute_batch(synchronous)?;
            self.durability = durability;
        }
        Ok(())
    }
}

/// Runs a job so that its failure leaves no trace in the transaction. An error means that the transaction is gone.
fn run_alone(transaction: &Transaction<'_>, job: &mut dyn WriteJob) -> Result<(), rusqlite::Error> {
    transaction.prepare_cached("SAVEPOINT job")?.execute([])?;
    let ran = catch_unwind(AssertUnwindSafe(|| job.run(transaction))).unwrap_or(Ran::Failed(None));
    if let Ran::Failed(cause) = ran {
        // On a full or failing disk the engine may end the transaction on its own.
        if let (true, Some(cause)) = (transaction.is_autocommit(), cause) {
            return Err(cause);
        }
        transaction.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    transaction.prepare_cached("RELEASE job")?.execute([])?;
    Ok(())
}

/// The next start finds one file and no log to replay.
fn close(connection: Connection, location: &Location) {
    let checkpoint = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let closed = connection.close().map_err(|(_, error)| error);
    if let Err(error) = checkpoint.and(closed) {
        tracing::warn!(%location, %error, "closing a database: its log stays and is read at the next start");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::{JobError, job::ReplyJob};

    type Answer = Result<(), EngineError>;

    /// Two jobs of one transaction, the second of which makes its commit fail.
    #[tokio::test]
    async fn a_commit_that_fails_fails_every_job_of_the_transaction() {
        let connection = Connection::open_in_memory().unwrap();
        let tables = "PRAGMA foreign_keys = ON;
            CREATE TABLE parent (id INTEGER PRIMARY KEY);
            CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)";
        connection.execute_batch(tables).unwrap();
        let location = Location::Memory("test".to_owned());
        let mut writer = Writer::start(connection, &location, &Options::default());
        let (go, wait) = std::sync::mpsc::channel();
        let (good, good_answer) = ReplyJob::new(
            Durability::Disk,
            move |transaction: &Transaction<'_>| {
                wait.recv().unwrap();
                transaction.execute("INSERT INTO parent VALUES (1)", [])?;
                Ok::<(), JobError<EngineError>>(())
            },
            |()| panic!("a job whose transaction failed is not followed up"),
        );
        let (orphan, orphan_answer) = ReplyJob::new(
            Durability::Disk,
            |transaction: &Transaction<'_>| {
                transaction.execute("INSERT INTO child VALUES (7)", [])?;
                Ok::<(), JobError<EngineError>>(())
            },
            |()| (),
        );
        writer.send(Box::new(good)).await;
        writer.send(Box::new(orphan)).await;
        go.send(()).unwrap();
        let failed = "in-memory database of `test`: FOREIGN KEY constraint failed";
        let (good, orphan): (Answer, Answer) =
            (good_answer.await.unwrap(), orphan_answer.await.unwrap());
        assert_eq!(good.unwrap_err().to_string(), failed);
        assert_eq!(orphan.unwrap_err().to_string(), failed);

        let (count, answer) = ReplyJob::new(
            Durability::Disk,
            |transaction: &Transaction<'_>| {
                let count =
                    transaction.query_row("SELECT count(*) FROM parent", [], |row| row.get(0));
                Ok::<i64, JobError<EngineError>>(count?)
            },
            |_| (),
        );
        writer.send(Box::new(count)).await;
        let count: Result<i64, EngineError> = answer.await.unwrap();
        assert_eq!(count.unwrap(), 0);
        writer.close();
    }
}
