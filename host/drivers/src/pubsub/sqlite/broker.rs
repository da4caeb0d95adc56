//! What all backends on one file share: the database, this host's run, and who waits for messages.

use super::tables::{Answer, OWNER, STEPS, TopicId, now_millis};
use crate::sqlite::{Database, EngineError};
use berth_blocks::{
    pubsub::PubSubError,
    registry::{OpenContext, OpenError},
};
use parking_lot::Mutex;
use rusqlite::Transaction;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use tokio::{
    runtime::Handle,
    sync::{Notify, OnceCell},
};

/// The queue of one file.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) database: Arc<Database>,
    /// This run of the host, the owner of its leases, once it takes any.
    run: OnceCell<i64>,
    /// Where leases that are dropped hand their message back.
    pub(super) runtime: Handle,
    /// Claims of this run so far.
    claims: AtomicI64,
    /// Consumers that wait, by topic.
    waiting: Mutex<HashMap<TopicId, Arc<Notify>>>,
}

impl Broker {
    /// The queue in this database, made ready by whoever comes first.
    pub(super) async fn shared(
        context: &OpenContext,
        database: Arc<Database>,
    ) -> Result<Arc<Self>, OpenError> {
        database.migrate(OWNER, STEPS).await?;
        let identity = format!("pubsub {}", database.location().identity());
        context.connections.shared(&identity, || {
            Ok(Self {
                database,
                run: OnceCell::new(),
                runtime: Handle::current(),
                claims: AtomicI64::new(0),
                waiting: Mutex::default(),
            })
        })
    }

    /// The owner that this run of the host writes into its leases. It begins with the first consumer: hosts that only
    /// publish write nothing when they start.
    pub(super) async fn run(&self) -> Result<i64, EngineError> {
        let begin = async || {
            let run = self.database.run().await?;
            take_over(&self.database, run.over_before).await?;
            Ok(run.id)
        };
        self.run.get_or_try_init(begin).await.copied()
    }

    /// A number for a claim, never given twice in this run. A transaction that is undone uses its numbers up, hence
    /// nothing that it left behind can settle a later claim.
    pub(super) fn next_claim(&self) -> i64 {
        self.claims.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs a job and afterwards wakes whom it concerns, even if the caller has gone away meanwhile.
    pub(super) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Transaction<'_>) -> Answer<T> + Send + 'static,
        wake: impl FnOnce(&Self, &T) + Send + 'static,
    ) -> Result<T, PubSubError> {
        let broker = Arc::clone(self);
        let wake = move |outcome: &T| wake(&broker, outcome);
        self.database.write_then(job, wake).await
    }

    /// Changes leases. A power failure may undo it: then messages come again, as they do when leases run out.
    pub(super) async fn lease<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Transaction<'_>) -> Answer<T> + Send + 'static,
        wake: impl FnOnce(&Self, &T) + Send + 'static,
    ) -> Result<T, PubSubError> {
        let broker = Arc::clone(self);
        let wake = move |outcome: &T| wake(&broker, outcome);
        self.database.write_relaxed(job, wake).await
    }

    /// What consumers of a topic wait on.
    pub(super) fn waiting(&self, topic: TopicId) -> Arc<Notify> {
        self.waiting.lock().entry(topic).or_default().clone()
    }

    /// Lets consumers of a topic look for messages.
    pub(super) fn wake(&self, topic: TopicId) {
        if let Some(waiting) = self.waiting.lock().get(&topic) {
            waiting.notify_waiters();
        }
    }

    /// Lets all consumers look for messages.
    pub(super) fn wake_all(&self) {
        self.waiting
            .lock()
            .values()
            .for_each(|waiting| waiting.notify_waiters());
    }
}

/// Ends the leases of runs that are over: their messages come again now and not when the lease runs out.
async fn take_over(database: &Database, over_before: i64) -> Result<(), EngineError> {
    let taken = database.apply(move |transaction| {
        transaction.execute(
            "UPDATE pubsub_pending SET visible_at = ?1, owner = NULL WHERE owner < ?2",
            (now_millis(), over_before),
        )
    });
    let taken = taken.await?;
    if taken > 0 {
        tracing::info!(messages = taken, database = %database.location(), "messages of a host that ended come again");
    }
    Ok(())
}
