//! Instances that this host owns, each with a task that drives it.

use super::Shared;
use crate::{
    Event,
    driver::{self, Exit},
    platform::Task,
};
use berth_blocks::workflow::{InstanceKey, InstanceRow, Timestamp};
use futures::FutureExt;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// First pause before an instance is loaded again after a failure of the store; doubles.
const RETRY_FIRST: Duration = Duration::from_millis(100);

/// Longest pause.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// What the engine wants of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing.
    Stay,
    /// Its place, if it only waits.
    GoIfIdle,
    /// Its place.
    Go,
}

/// An owned instance, as the rest of the engine sees it.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) key: InstanceKey,
    /// A message may be in its inbox.
    pub(crate) message: Notify,
    /// The engine wants something.
    pub(crate) wishes: Notify,
    wish: AtomicU8,
    /// Its driver has ended.
    gone: Notify,
    has_gone: std::sync::atomic::AtomicBool,
    /// What it does, and since when.
    seen: Mutex<Seen>,
}

/// What an instance was last seen doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// It waits for something outside.
    pub(super) waits: bool,
    pub(super) since: Timestamp,
}

impl Instance {
    fn new(key: InstanceKey, now: Timestamp) -> Self {
        Self {
            key,
            message: Notify::new(),
            wishes: Notify::new(),
            wish: AtomicU8::new(0),
            gone: Notify::new(),
            has_gone: false.into(),
            seen: Mutex::new(Seen {
                waits: false,
                since: now,
            }),
        }
    }

    pub(crate) fn ask(&self, wish: Wish) {
        self.wish.store(wish as u8, Ordering::Release);
        self.wishes.notify_one();
    }

    pub(crate) fn wish(&self) -> Wish {
        match self.wish.load(Ordering::Acquire) {
            0 => Wish::Stay,
            1 => Wish::GoIfIdle,
            _ => Wish::Go,
        }
    }

    /// What it does, and since when.
    pub(super) fn seen(&self) -> Seen {
        *self.seen.lock()
    }

    /// Keeps what it does, for whoever looks for instances that are stuck.
    pub(crate) fn note(&self, waits: bool, now: Timestamp) {
        let mut seen = self.seen.lock();
        if seen.waits != waits {
            *seen = Seen { waits, since: now };
        }
    }

    /// Ends when its driver has ended.
    pub(super) async fn gone(&self) {
        let gone = self.gone.notified();
        if !self.has_gone.load(Ordering::Acquire) {
            gone.await;
        }
    }

    fn leave(&self) {
        self.has_gone.store(true, Ordering::Release);
        self.gone.notify_waiters();
    }
}

/// All owned instances.
#[derive(Debug, Default)]
pub(super) struct Owned {
    instances: BTreeMap<InstanceKey, (Arc<Instance>, Task)>,
    /// Instances that this host creates for itself: they are in the store, perhaps, and not yet among the others.
    arriving: BTreeMap<InstanceKey, Arriving>,
}

/// What is known of an instance that is being created.
#[derive(Debug, Default)]
struct Arriving {
    /// Calls that create it, of which one wins.
    calls: usize,
    /// A message may be in its inbox.
    has_message: bool,
}

impl Owned {
    pub(super) fn find(&self, key: &InstanceKey) -> Option<&Arc<Instance>> {
        self.instances.get(key).map(|(instance, _)| instance)
    }

    pub(super) fn all(&self) -> Vec<Arc<Instance>> {
        let instances = self.instances.values();
        instances.map(|(instance, _)| instance.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.instances.len()
    }

    /// A message was put into an inbox. Whether its instance is here.
    pub(super) fn message_sent(&mut self, to: &InstanceKey) -> bool {
        if let Some(arriving) = self.arriving.get_mut(to) {
            arriving.has_message = true;
        }
        match self.find(to) {
            Some(instance) => {
                instance.message.notify_one();
                true
            }
            None => false,
        }
    }
}

/// While it lives, messages to an instance that is being created are noted: whoever adopts it need not look for any.
pub(super) struct Arrival<'s> {
    shared: &'s Shared,
    key: &'s InstanceKey,
}

impl<'s> Arrival<'s> {
    pub(super) fn of(shared: &'s Shared, key: &'s InstanceKey) -> Self {
        let mut owned = shared.owned.lock();
        owned.arriving.entry(key.clone()).or_default().calls += 1;
        drop(owned);
        Self { shared, key }
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        let mut owned = self.shared.owned.lock();
        if let Some(arriving) = owned.arriving.get_mut(self.key) {
            arriving.calls -= 1;
            if arriving.calls == 0 {
                owned.arriving.remove(self.key);
            }
        }
    }
}

/// An instance that this host has just got.
pub(super) struct Acquired {
    pub(super) row: InstanceRow,
    /// Former owner's lease had ended.
    pub(super) taken_over: bool,
    /// Its history, if it has just been created: then it has no messages but those that its [`Arrival`] notes.
    pub(super) events: Option<VecDeque<Event>>,
}

/// Begins to drive an instance. One of the same key that this host drove before has been fenced off.
pub(super) fn adopt(shared: &Arc<Shared>, acquired: Acquired) {
    let key = acquired.row.key.clone();
    let instance = Arc::new(Instance::new(key.clone(), shared.platform.now()));
    let drive = Box::pin(drive(shared.clone(), instance.clone(), acquired));
    // The lock is held until the task is listed, since the task takes itself off the list.
    let mut owned = shared.owned.lock();
    let task = shared.platform.spawn(drive);
    if owned
        .arriving
        .get(&key)
        .is_some_and(|arriving| arriving.has_message)
    {
        instance.message.notify_one();
    }
    let before = owned.instances.insert(key, (instance, task));
    drop(owned);
    if let Some((before, task)) = before {
        drop(task);
        before.leave();
    }
}

async fn drive(shared: Arc<Shared>, instance: Arc<Instance>, mut acquired: Acquired) {
    let mut pause = RETRY_FIRST;
    let mut taken_over = acquired.taken_over;
    loop {
        let (epoch, version) = (acquired.row.epoch, acquired.row.version);
        let mut exit = run_once(&shared, &instance, &acquired).await;
        if let Exit::Lost(why) = &exit
            && is_ours(&shared, &instance.key, epoch).await
        {
            exit = Exit::Retry(why.clone());
        }
        let why = match exit {
            Exit::Retry(why) => why,
            Exit::Panicked => {
                // Whatever ran may be the cause: it is tried a bounded number of times.
                taken_over = true;
                "a panic".to_owned()
            }
            exit => {
                depart(&shared, &instance, exit);
                return;
            }
        };
        tracing::warn!(instance = %instance.key, "loading again: {why}");
        shared
            .platform
            .sleep_until(shared.platform.now().after(pause))
            .await;
        pause = (pause * 2).min(RETRY_MAX);
        acquired = match shared.store.get(&instance.key).await {
            Ok(Some(row)) if row.epoch == epoch && row.owner.as_ref() == Some(&shared.owner) => {
                if row.version > version {
                    pause = RETRY_FIRST;
                }
                Acquired {
                    row,
                    taken_over,
                    events: None,
                }
            }
            Ok(row) => {
                let exit = match row.filter(|row| row.state.status.is_terminal()) {
                    Some(row) => Exit::Ended(Box::new(row)),
                    None => Exit::Lost("meanwhile".to_owned()),
                };
                depart(&shared, &instance, exit);
                return;
            }
            Err(_) => {
                // Still ours, as far as we know.
                let Some(row) = reload(&shared, &instance.key, taken_over).await else {
                    depart(&shared, &instance, Exit::Lost("meanwhile".to_owned()));
                    return;
                };
                row
            }
        };
    }
}

/// Whether this host still owns an instance whose driver was refused: a commit that was given up, since its answer did
/// not come, may have been carried out later, after the driver had looked for it. Without an answer it may be.
async fn is_ours(shared: &Shared, key: &InstanceKey, epoch: u64) -> bool {
    match shared.store.get(key).await {
        Ok(Some(row)) => row.epoch == epoch && row.owner.as_ref() == Some(&shared.owner),
        Ok(None) => false,
        Err(_) => true,
    }
}

/// Asks until the store answers.
async fn reload(shared: &Shared, key: &InstanceKey, taken_over: bool) -> Option<Acquired> {
    loop {
        shared
            .platform
            .sleep_until(shared.platform.now().after(RETRY_MAX))
            .await;
        match shared.store.get(key).await {
            Ok(Some(row)) if row.owner.as_ref() == Some(&shared.owner) => {
                return Some(Acquired {
                    row,
                    taken_over,
                    events: None,
                });
            }
            Ok(_) => return None,
            Err(_) => {}
        }
    }
}

/// Code that panics is a mistake of the executor: it costs its instance a life, and the host nothing.
async fn run_once(shared: &Arc<Shared>, instance: &Arc<Instance>, acquired: &Acquired) -> Exit {
    let (row, events) = (acquired.row.clone(), acquired.events.clone());
    let run = async {
        match driver::load(shared, instance, row, acquired.taken_over, events).await {
            Ok(driver) => driver.run().await,
            Err(exit) => exit,
        }
    };
    let ended = AssertUnwindSafe(run).catch_unwind().await;
    ended.unwrap_or(Exit::Panicked)
}

fn depart(shared: &Arc<Shared>, instance: &Arc<Instance>, exit: Exit) {
    let key = &instance.key;
    // What was released may be ready; else a look for other instances is worth its cost when they lacked a place.
    let mut look = matches!(exit, Exit::Released);
    if let Exit::Lost(why) = &exit {
        tracing::info!(instance = %key, "no longer ours: {why}");
    }
    instance.leave();
    let mut owned = shared.owned.lock();
    look |= owned.len() >= shared.config.instances_max;
    let listed = owned
        .find(key)
        .is_some_and(|listed| Arc::ptr_eq(listed, instance));
    let task = if listed {
        owned.instances.remove(key)
    } else {
        None
    };
    // At once with leaving the list: who finds it there hears of its end, and nobody of that of the one before.
    let watch = matches!(exit, Exit::Ended(_)).then(|| shared.take_watch(key));
    drop(owned);
    if let (Some(Some(watch)), Exit::Ended(row)) = (watch, exit) {
        watch.tell(Some(*row));
    }
    if look {
        shared.claims.notify_one();
    }
    // Last, since it ends the task that runs this.
    drop(task);
}
