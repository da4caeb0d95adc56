//! Creations and simple commits of many instances, together.
//!
//! What is asked for while a transaction is under way goes into the next one: the server writes its log once for all of
//! them. Two transactions are under way at a time, so that one is prepared while the other waits for the disk.

use super::{
    Answer, Statements,
    commit::{RestColumns, RowColumns, fenced},
    create::Columns,
    rows::{field, instance},
};
use crate::{
    postgresql::{Database, Failure, Fault, Rows, Step},
    task::Task,
};
use berth_blocks::workflow::{Commit, Created, InstanceKey, NewInstance, WorkflowStoreError};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// Calls of one transaction at most.
const BATCH_MAX: usize = 128;
/// Transactions under way at a time.
const UNDER_WAY_MAX: usize = 2;
/// Calls that wait; callers wait beyond that.
const WAITING_MAX: usize = 1_024;

/// One call, with whom to answer.
enum Job {
    Commit(Box<Commit>, oneshot::Sender<Answer<u64>>),
    /// Answered with nothing if there is an instance of its key.
    Create(Box<NewInstance>, oneshot::Sender<Answer<Option<Created>>>),
}

impl Job {
    fn key(&self) -> &InstanceKey {
        match self {
            Self::Commit(commit, _) => &commit.key,
            Self::Create(new, _) => &new.key,
        }
    }

    fn refuse(self, error: WorkflowStoreError) {
        // Whoever does not wait any more need not know.
        let _ = match self {
            Self::Commit(_, reply) => reply.send(Err(error)).is_ok(),
            Self::Create(_, reply) => reply.send(Err(error)).is_ok(),
        };
    }
}

/// The writer of a store. Dropped: calls under way are given up.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    _task: Task,
}

impl Writer {
    pub(super) fn start(database: Arc<Database>, statements: Arc<Statements>) -> Self {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        Self {
            jobs,
            _task: Task::spawn(serve(database, statements, waiting)),
        }
    }

    /// Applies a simple commit. Gives the new version.
    pub(super) async fn commit(&self, commit: Commit) -> Answer<u64> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Commit(Box::new(commit), reply)).await?;
        answer.await.unwrap_or_else(|_| Err(closing()))
    }

    /// Creates an instance, unless there is one with its key.
    pub(super) async fn create(&self, new: NewInstance) -> Answer<Option<Created>> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Create(Box::new(new), reply)).await?;
        answer.await.unwrap_or_else(|_| Err(closing()))
    }

    async fn send(&self, job: Job) -> Answer<()> {
        self.jobs.send(job).await.map_err(|_| closing())
    }
}

fn closing() -> WorkflowStoreError {
    WorkflowStoreError::Unavailable("the workflow store is being closed".to_owned())
}

async fn serve(
    database: Arc<Database>,
    statements: Arc<Statements>,
    mut waiting: mpsc::Receiver<Job>,
) {
    let mut under_way: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    let mut kept = None;
    loop {
        if under_way.len() < UNDER_WAY_MAX && kept.is_none() {
            tokio::select! {
                biased;
                Some(()) = under_way.next() => continue,
                job = waiting.recv() => match job {
                    Some(job) => kept = Some(job),
                    None => return,
                },
            }
        } else if under_way.len() == UNDER_WAY_MAX {
            under_way.next().await;
        }
        if under_way.len() < UNDER_WAY_MAX {
            let mut batch = Vec::new();
            fill(&mut batch, &mut kept, &mut waiting);
            under_way.push(Box::pin(run(&database, &statements, batch)));
        }
    }
}

/// Takes what waits, one call per instance: a second one must see what became of the first.
fn fill(batch: &mut Vec<Job>, kept: &mut Option<Job>, waiting: &mut mpsc::Receiver<Job>) {
    let mut keys = BTreeSet::new();
    while batch.len() < BATCH_MAX {
        let Some(job) = kept.take().or_else(|| waiting.try_recv().ok()) else {
            return;
        };
        if !keys.insert(job.key().clone()) {
            *kept = Some(job);
            return;
        }
        batch.push(job);
    }
}

async fn run(database: &Database, statements: &Statements, batch: Vec<Job>) {
    match attempt(database, statements, &batch).await {
        Ok(done) => answer(database, statements, batch, done).await,
        Err(failure) if is_of_one(&failure) && batch.len() > 1 => {
            // Something that one of them wants cannot be: the others must not suffer.
            for job in batch {
                Box::pin(run(database, statements, vec![job])).await;
            }
        }
        Err(failure) => {
            let error = WorkflowStoreError::from(failure);
            for job in batch {
                job.refuse(error.clone());
            }
        }
    }
}

/// Whether one call may be the cause, and nothing was stored.
fn is_of_one(failure: &Failure) -> bool {
    match failure.fault {
        Fault::TooLarge | Fault::Invalid | Fault::Forbidden | Fault::Other => true,
        Fault::Unavailable | Fault::Timeout => false,
    }
}

/// What a transaction gave: rows of the commits, then of each creation.
struct Done {
    commits: Vec<tokio_postgres::Row>,
    creations: Rows,
}

async fn attempt(
    database: &Database,
    statements: &Statements,
    batch: &[Job],
) -> Result<Done, Failure> {
    let commits: Vec<&Commit> = batch
        .iter()
        .filter_map(|job| match job {
            Job::Commit(commit, _) => Some(&**commit),
            Job::Create(..) => None,
        })
        .collect();
    let creations = batch.iter().filter_map(|job| match job {
        Job::Create(new, _) => Some(Columns::of(new, None, 0)),
        Job::Commit(..) => None,
    });
    let creations: Vec<_> = creations.collect();
    let (rows, rest) = (RowColumns::of(&commits), RestColumns::of(&commits));
    let mut parameters = rows.parameters();
    parameters.extend(rest.parameters());
    let of_creations: Vec<_> = creations.iter().map(Columns::parameters).collect();
    let mut steps: Vec<Step<'_>> = Vec::new();
    if !commits.is_empty() {
        steps.push((&statements.commits.simple, &parameters));
    }
    steps.extend(
        of_creations
            .iter()
            .map(|parameters| (&statements.creates.create, &parameters[..])),
    );
    let mut answers = match &steps[..] {
        // One statement is a transaction.
        [(statement, parameters)] => vec![database.rows(statement, parameters).await?],
        steps => database.transact_rows(steps).await?,
    };
    let creations = answers.split_off(usize::from(!commits.is_empty()));
    Ok(Done {
        commits: answers.pop().unwrap_or_default(),
        creations,
    })
}

async fn answer(database: &Database, statements: &Statements, batch: Vec<Job>, done: Done) {
    let written = done.commits.iter().map(|row| field::<i32>(row, 0));
    let written: BTreeSet<i32> = written.filter_map(Result::ok).collect();
    let mut creations = done.creations.into_iter();
    let mut ord = 0..;
    for job in batch {
        match job {
            Job::Commit(commit, reply) => {
                let applied = ord.next().is_some_and(|ord| written.contains(&ord));
                let answer = match applied {
                    true => Ok(commit.version + 1),
                    false => refused(database, statements, &commit).await,
                };
                drop(reply.send(answer));
            }
            Job::Create(_, reply) => {
                let rows = creations.next().unwrap_or_default();
                let created = rows.first().map(|row| instance(row).map(Created::New));
                drop(reply.send(created.transpose()));
            }
        }
    }
}

async fn refused(database: &Database, statements: &Statements, commit: &Commit) -> Answer<u64> {
    let row = statements.reads.get(database, &commit.key).await?;
    fenced(&commit.key, row, commit.epoch)
}
