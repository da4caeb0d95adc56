//! Threads that read, each with a connection of its own, beside the writer.

use super::{Journal, Location, Options, connection, job::ReadJob};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
};
use tokio::sync::mpsc;

/// Reads that run at the same time.
pub(super) const THREADS: usize = 4;

/// Reads that may wait; further callers wait for a place.
const QUEUE_JOBS: usize = 1_024;

type Queue = Arc<Mutex<mpsc::Receiver<Box<dyn ReadJob>>>>;

/// The reader threads of one file.
#[derive(Debug)]
pub(super) struct Readers {
    jobs: Option<mpsc::Sender<Box<dyn ReadJob>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Not where readers would see another database (in memory) or block the writer (no log): there the writer reads,
    /// too.
    pub(super) fn are_possible(location: &Location, options: &Options) -> bool {
        matches!(location, Location::File(_)) && options.journal == Journal::Wal
    }

    /// Opens the connections, which may wait for the disk.
    pub(super) fn start(location: &Location, options: &Options) -> Result<Self, rusqlite::Error> {
        let (jobs, waiting) = mpsc::channel(QUEUE_JOBS);
        let waiting: Queue = Arc::new(Mutex::new(waiting));
        let mut threads = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            let connection = connection::open_reader(location, options)?;
            let (waiting, location) = (waiting.clone(), location.clone());
            let thread = thread::Builder::new()
                .name("sqlite-reader".to_owned())
                .spawn(move || serve(&connection, &waiting, &location));
            threads.extend(thread.ok());
        }
        Ok(Self {
            jobs: Some(jobs),
            threads,
        })
    }

    /// Waits for a place in the queue.
    pub(super) async fn send(&self, job: Box<dyn ReadJob>) {
        if let Some(jobs) = &self.jobs {
            drop(jobs.send(job).await);
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.jobs = None;
        let here = thread::current().id();
        for thread in self.threads.drain(..) {
            if thread.thread().id() != here {
                drop(thread.join());
            }
        }
    }
}

/// One thread waits in the channel, the others for their turn to wait.
fn serve(connection: &Connection, waiting: &Queue, location: &Location) {
    loop {
        let next = waiting.lock().blocking_recv();
        let Some(job) = next else { return };
        // A panic drops the job, which tells its caller.
        drop(catch_unwind(AssertUnwindSafe(|| {
            job.run(location, connection)
        })));
    }
}
