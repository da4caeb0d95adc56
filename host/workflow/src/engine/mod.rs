//! The engine of one host: which instances it owns, and what they share.
//!
//! Tasks of an engine: one per owned instance ([`owned`]), one that claims instances ([`claims`]), one that keeps the
//! lease ([`lease`]), one that works off the task queue ([`queue`]), one that cleans up and watches ([`housekeeping`]).

mod claims;
mod client;
mod config;
mod engines;
mod history;
mod housekeeping;
mod lease;
mod owned;
mod queue;
mod rerun;
mod runs;
mod start;

pub use client::History;
pub use config::{Config, Limits, Retention};
pub use engines::Engines;
pub use housekeeping::{Overdue, OwnedInstance};
pub(crate) use owned::{Instance, Wish};

use crate::{
    ActivityTask, Executor, Failure, Payload, Platform, driver, failure::cut, platform::Task,
};
use berth_blocks::workflow::{
    InstanceKey, InstanceRow, Timestamp, WorkflowStore, WorkflowStoreError,
};
use berth_resources::{AppId, Namespace};
use futures::future::{BoxFuture, Either, select};
use owned::Owned;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, Semaphore};

/// What all parts of an engine share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn WorkflowStore>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) platform: Arc<dyn Platform>,
    pub(crate) config: Config,
    /// This run of the host, as leases name it.
    pub(crate) owner: String,
    owned: Mutex<Owned>,
    /// Instances may be ready.
    pub(crate) claims: Notify,
    /// Tasks may be in the queue.
    pub(crate) queued: Notify,
    /// Callers that wait for an instance to end.
    watched: Mutex<BTreeMap<InstanceKey, Arc<Watch>>>,
    /// Places for activities.
    activities: Arc<Semaphore>,
    /// End of this host's lease, as far as it is known.
    lease_until: AtomicI64,
    /// A call failed in a way that leaves open what this host owns.
    doubtful: AtomicBool,
    stopping: AtomicBool,
}

impl Shared {
    pub(crate) fn local_apps(&self, namespace: &Namespace) -> Arc<[AppId]> {
        let apps = self.executor.apps().into_iter();
        apps.filter(|(of, _)| of == namespace)
            .map(|(_, app)| app)
            .collect()
    }

    pub(crate) fn new_execution(&self) -> String {
        let uuid = uuid::Builder::from_random_bytes(self.platform.random());
        uuid.into_uuid().to_string()
    }

    /// A place where simulations crash.
    pub(crate) async fn reach(&self, place: &'static str) {
        if let Some(crash) = self.platform.reach(place) {
            crash.await;
        }
    }

    /// A message was put into an inbox.
    pub(crate) fn message_sent(&self, to: &InstanceKey) {
        if !self.owned.lock().message_sent(to) {
            self.claims.notify_one();
        }
    }

    /// Whether the lease holds, so that something may begin.
    pub(crate) fn has_lease(&self) -> bool {
        Timestamp(self.lease_until.load(Ordering::Relaxed)) > self.platform.now()
    }

    fn doubt(&self) {
        self.doubtful.store(true, Ordering::Relaxed);
    }

    /// Runs one attempt of an activity, within its time and within this host's places for activities.
    pub(crate) async fn run_activity(
        &self,
        task: ActivityTask,
        timeout: Option<Duration>,
    ) -> Result<Payload, Failure> {
        let _place = self.activities.acquire().await;
        let run = self.executor.run_activity(task);
        let result = match timeout {
            None => run.await,
            Some(timeout) => {
                let end = self
                    .platform
                    .sleep_until(self.platform.now().after(timeout));
                match select(run, end).await {
                    Either::Left((result, _)) => result,
                    Either::Right(_) => Err(driver::timed_out(timeout)),
                }
            }
        };
        let outcome = if result.is_ok() {
            "completed"
        } else {
            "failed"
        };
        metrics::counter!("berth_workflow_activity_attempts_total", "outcome" => outcome)
            .increment(1);
        result.map_err(cut)
    }

    /// Asks instances that wait to give up their places, those first that have waited longest.
    fn release_idle(&self, count: usize) {
        let mut waiting = self.owned.lock().all();
        waiting.retain(|instance| instance.seen().waits);
        waiting.sort_by_key(|instance| instance.seen().since);
        for instance in waiting.into_iter().take(count) {
            instance.ask(Wish::GoIfIdle);
        }
    }

    fn watch(&self, key: &InstanceKey) -> Arc<Watch> {
        self.watched.lock().entry(key.clone()).or_default().clone()
    }

    /// Takes an entry off the list that nobody else holds.
    fn unwatch(&self, key: &InstanceKey, watch: &Arc<Watch>) {
        let mut watched = self.watched.lock();
        let listed = watched
            .get(key)
            .is_some_and(|listed| Arc::ptr_eq(listed, watch));
        // The list and the caller.
        if listed && Arc::strong_count(watch) <= 2 {
            watched.remove(key);
        }
    }

    /// Those who have waited so far.
    fn take_watch(&self, key: &InstanceKey) -> Option<Arc<Watch>> {
        self.watched.lock().remove(key)
    }
}

/// Callers that wait for an instance to end.
#[derive(Debug, Default)]
struct Watch {
    notify: Notify,
    /// As it ended, if it ended here.
    row: OnceLock<InstanceRow>,
}

impl Watch {
    /// Tells them that the instance has ended, or is gone.
    fn tell(&self, row: Option<InstanceRow>) {
        if let Some(row) = row {
            // Nobody else does: it was on the list once.
            let _ = self.row.set(row);
        }
        self.notify.notify_waiters();
    }
}

/// The durable workflow engine of one host.
pub struct Engine {
    shared: Arc<Shared>,
    /// Dropped: they end.
    tasks: Mutex<Vec<Task>>,
}

impl Engine {
    /// Joins the store and begins to work.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn open(
        store: Arc<dyn WorkflowStore>,
        executor: Arc<dyn Executor>,
        platform: Arc<dyn Platform>,
        config: Config,
    ) -> Result<Self, WorkflowStoreError> {
        let made_up = || uuid::Builder::from_random_bytes(platform.random()).into_uuid();
        let owner = config.owner.clone();
        let shared = Arc::new(Shared {
            owner: owner.unwrap_or_else(|| made_up().to_string()),
            activities: Arc::new(Semaphore::new(config.activities_max)),
            owned: Mutex::new(Owned::default()),
            claims: Notify::new(),
            queued: Notify::new(),
            watched: Mutex::default(),
            lease_until: AtomicI64::new(0),
            doubtful: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            store,
            executor,
            platform,
            config,
        });
        lease::join(&shared).await?;
        for former in &shared.config.former_owners {
            shared.store.leave(former).await?;
        }
        let loops: [BoxFuture<'static, ()>; 4] = [
            Box::pin(lease::keep(shared.clone())),
            Box::pin(claims::serve(shared.clone())),
            Box::pin(queue::serve(shared.clone())),
            Box::pin(housekeeping::serve(shared.clone())),
        ];
        let tasks = loops.map(|task| shared.platform.spawn(task)).into();
        Ok(Self {
            shared,
            tasks: Mutex::new(tasks),
        })
    }

    /// Gives every instance up, so that another host takes over at once. Activities that run are dropped.
    pub async fn shut_down(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.tasks.lock().clear();
        let all = self.shared.owned.lock().all();
        for instance in &all {
            instance.ask(Wish::Go);
        }
        for instance in all {
            instance.gone().await;
        }
        if let Err(error) = self.shared.store.leave(&self.shared.owner).await {
            tracing::warn!(%error, "leaving the workflow store: the lease of this host runs out instead");
        }
    }

    /// Gives instances up that wait, at most `count`, for others that need their place: those first that have waited
    /// longest.
    pub fn release_idle(&self, count: usize) {
        self.shared.release_idle(count);
    }

    /// The apps that the executor serves have changed.
    pub fn apps_changed(&self) {
        self.shared.claims.notify_one();
        self.shared.queued.notify_one();
    }
}

/// Everything that runs here ends; what this host owns is free when its lease ends.
impl Drop for Engine {
    fn drop(&mut self) {
        self.tasks.lock().clear();
        let owned = std::mem::take(&mut *self.shared.owned.lock());
        // Outside the lock: tasks that end let go of what they hold.
        drop(owned);
    }
}
