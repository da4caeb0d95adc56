//! One call on its way through a thread of the engine, with the channel for its answer.

use super::{EngineError, Fault, JobError, Location};
use rusqlite::{Connection, Transaction};
use tokio::sync::oneshot;

/// What became of a job, before its transaction ended.
#[derive(Debug)]
pub(super) enum Ran {
    /// Keep what it did.
    Done,
    /// Undo what it did; if the engine failed, how.
    Failed(Option<rusqlite::Error>),
}

/// What a committed job survives, from little to much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// A killed host. A power failure may undo it, together with everything of this kind after it.
    Process,
    /// A power failure, as far as the options of the file say.
    Disk,
}

/// A write on its way to the writer thread.
pub(super) trait WriteJob: Send {
    /// What must hold when it is answered.
    fn durability(&self) -> Durability;

    /// Does the work inside the open transaction.
    fn run(&mut self, transaction: &Transaction<'_>) -> Ran;

    /// Answers the caller, once it is known whether the transaction holds.
    fn answer(self: Box<Self>, location: &Location, committed: Result<(), EngineError>);
}

/// A read on its way to a reader thread.
pub(super) trait ReadJob: Send {
    /// Does the work and answers.
    fn run(self: Box<Self>, location: &Location, connection: &Connection);
}

/// A closure and the caller who waits for its outcome.
pub(super) struct ReplyJob<F, A, T, E> {
    /// Taken when it runs.
    work: Option<F>,
    durability: Durability,
    /// Follows a success, whether or not the caller still waits.
    then: A,
    outcome: Option<Result<T, JobError<E>>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, A: FnOnce(&T), T, E> ReplyJob<F, A, T, E> {
    pub(super) fn new(
        durability: Durability,
        work: F,
        then: A,
    ) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        let job = Self {
            work: Some(work),
            durability,
            then,
            outcome: None,
            reply,
        };
        (job, answer)
    }

    /// A caller who went away is no error: the answer is dropped.
    fn reply(self, location: &Location)
    where
        E: From<EngineError>,
    {
        let answer = match self.outcome {
            Some(Ok(value)) => {
                (self.then)(&value);
                Ok(value)
            }
            Some(Err(JobError::Refused(error))) => Err(error),
            Some(Err(JobError::Engine(error))) => Err(EngineError::of(location, &error).into()),
            None => Err(EngineError::new(
                Fault::Other,
                format!("{location}: the call panicked; nothing of it is stored"),
            )
            .into()),
        };
        drop(self.reply.send(answer));
    }
}

impl<F, A, T, E> WriteJob for ReplyJob<F, A, T, E>
where
    A: FnOnce(&T) + Send,
    F: FnOnce(&Transaction<'_>) -> Result<T, JobError<E>> + Send,
    T: Send,
    E: From<EngineError> + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, transaction: &Transaction<'_>) -> Ran {
        self.outcome = self.work.take().map(|work| work(transaction));
        match &self.outcome {
            Some(Ok(_)) => Ran::Done,
            Some(Err(JobError::Engine(rusqlite::Error::SqliteFailure(code, text)))) => {
                let cause = rusqlite::Error::SqliteFailure(*code, text.clone());
                Ran::Failed(Some(cause))
            }
            _ => Ran::Failed(None),
        }
    }

    /// A refusal, too, rests on what the transaction had seen: it falls with it.
    fn answer(self: Box<Self>, location: &Location, committed: Result<(), EngineError>) {
        match committed {
            Ok(()) => self.reply(location),
            Err(error) => drop(self.reply.send(Err(error.into()))),
        }
    }
}

impl<F, A, T, E> ReadJob for ReplyJob<F, A, T, E>
where
    A: FnOnce(&T) + Send,
    F: FnOnce(&Connection) -> Result<T, JobError<E>> + Send,
    T: Send,
    E: From<EngineError> + Send,
{
    fn run(mut self: Box<Self>, location: &Location, connection: &Connection) {
        self.outcome = self.work.take().map(|work| work(connection));
        self.reply(location);
    }
}
