//! One thread, one virtual clock, one seeded scheduler: every task of every host, and the outside.

use crate::rng::Rng;
use berth_blocks::workflow::Timestamp;
use berth_workflow::{Platform, Task};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};
use tokio::sync::oneshot;

/// One life of a host; [`OUTSIDE`] never crashes.
pub type Life = u64;

/// Steps in one millisecond after which something turns in circles.
const STANDSTILL: u64 = 1_000_000;

/// Clients, and the world itself.
pub const OUTSIDE: Life = 0;

struct Entry {
    life: Life,
    /// Taken while it is polled.
    future: Option<BoxFuture<'static, ()>>,
}

/// Everything that changes.
struct State {
    now: i64,
    tasks: BTreeMap<u64, Entry>,
    ready: Vec<u64>,
    timers: BTreeMap<(i64, u64), Waker>,
    next: u64,
    rng: Rng,
    /// Crashes of a place, of a thousand times that it is reached.
    crash_chance: u64,
    /// The places where the next crashes must happen, one after the other, and after how many times each is reached.
    crash_at: VecDeque<(&'static str, u64)>,
    /// Lives that have ended, and those about to.
    crashed: BTreeSet<Life>,
    crashing: BTreeSet<Life>,
    reached: BTreeMap<&'static str, u64>,
    /// Lives that do nothing for a while, as if stopped by the operating system.
    paused: BTreeSet<Life>,
    /// Dropped when a life ends.
    obituaries: Vec<(Life, oneshot::Sender<()>)>,
}

/// The simulated world.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

struct TaskWaker {
    id: u64,
    world: World,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut state = self.world.0.lock();
        if !state.ready.contains(&self.id) {
            state.ready.push(self.id);
        }
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: 1_700_000_000_000,
            tasks: BTreeMap::new(),
            ready: Vec::new(),
            timers: BTreeMap::new(),
            next: 1,
            rng: Rng::new(seed),
            crash_chance: 0,
            crash_at: VecDeque::new(),
            crashed: BTreeSet::new(),
            crashing: BTreeSet::new(),
            reached: BTreeMap::new(),
            paused: BTreeSet::new(),
            obituaries: Vec::new(),
        })))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.lock().now)
    }

    pub fn with_rng<T>(&self, ask: impl FnOnce(&mut Rng) -> T) -> T {
        ask(&mut self.0.lock().rng)
    }

    pub fn set_crash_chance(&self, of_thousand: u64) {
        self.0.lock().crash_chance = of_thousand;
    }

    /// The host that reaches `place` for the `count`th time crashes there: counted from now on, or from the crash that
    /// was planned before.
    pub fn crash_at(&self, place: &'static str, count: u64) {
        self.0.lock().crash_at.push_back((place, count));
    }

    /// How often each place was reached.
    pub fn reached(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().reached.clone()
    }

    /// A host that does not exist yet.
    pub fn new_life(&self) -> Life {
        let mut state = self.0.lock();
        state.next += 1;
        state.next
    }

    /// Runs something as a part of a host; nothing, if that has crashed.
    pub fn spawn(&self, life: Life, future: BoxFuture<'static, ()>) -> u64 {
        let mut state = self.0.lock();
        state.next += 1;
        let id = state.next;
        if !state.crashed.contains(&life) {
            state.tasks.insert(
                id,
                Entry {
                    life,
                    future: Some(future),
                },
            );
            state.ready.push(id);
        }
        id
    }

    fn abort(&self, id: u64) {
        let entry = self.0.lock().tasks.remove(&id);
        // Outside the lock: what is dropped may end other tasks.
        drop(entry);
    }

    /// Ends when a life has ended.
    pub fn death(&self, life: Life) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.0.lock();
        if !state.crashed.contains(&life) {
            state.obituaries.push((life, sender));
        }
        receiver
    }

    /// Lets a host do nothing for a while. What it does after that rests on what it knew before.
    pub fn pause(&self, life: Life, millis: u64) {
        self.0.lock().paused.insert(life);
        let world = self.clone();
        self.spawn(
            OUTSIDE,
            Box::pin(async move {
                world.sleep(millis).await;
                world.0.lock().paused.remove(&life);
            }),
        );
    }

    /// Ends everything that a host does, at once.
    pub fn crash(&self, life: Life) {
        let mut state = self.0.lock();
        state.crashed.insert(life);
        state.paused.remove(&life);
        let told: Vec<_> = state
            .obituaries
            .extract_if(.., |(of, _)| *of == life)
            .collect();
        let ids: Vec<_> = state
            .tasks
            .iter()
            .filter(|(_, entry)| entry.life == life)
            .map(|(id, _)| *id)
            .collect();
        let dropped: Vec<_> = ids.iter().filter_map(|id| state.tasks.remove(id)).collect();
        drop(state);
        // Outside the lock: it wakes tasks and ends others.
        drop((dropped, told));
    }

    pub fn sleep_until(&self, at: Timestamp) -> Sleep {
        Sleep {
            world: self.clone(),
            at: at.0,
            id: None,
        }
    }

    pub async fn sleep(&self, millis: u64) {
        let at = self.now().0 + i64::try_from(millis).unwrap();
        self.sleep_until(Timestamp(at)).await;
    }

    /// Runs until `done`, or until the clock reaches `end` or nothing could ever happen. Whether it was done.
    pub fn run(&self, end: Timestamp, mut done: impl FnMut() -> bool) -> bool {
        let (mut time, mut steps) = (self.now(), 0_u64);
        while !done() {
            if !self.step(end.0) {
                return false;
            }
            steps += 1;
            if self.now() != time {
                (time, steps) = (self.now(), 0);
            }
            assert!(
                steps < STANDSTILL,
                "{STANDSTILL} steps at {time:?}: something turns in circles"
            );
        }
        true
    }

    fn step(&self, end: i64) -> bool {
        let mut state = self.0.lock();
        if let Some(life) = state.crashing.pop_first() {
            drop(state);
            self.crash(life);
            return true;
        }
        let State {
            ready,
            tasks,
            paused,
            ..
        } = &*state;
        let runs = |id: &u64| {
            tasks
                .get(id)
                .is_none_or(|entry| !paused.contains(&entry.life))
        };
        let able: Vec<_> = (0..ready.len())
            .filter(|place| runs(&ready[*place]))
            .collect();
        if !able.is_empty() {
            let chosen = usize::try_from(state.rng.below(able.len() as u64)).unwrap();
            let id = state.ready.swap_remove(able[chosen]);
            drop(state);
            self.poll(id);
            return true;
        }
        // Nothing can happen now: on to the next time at which something does.
        let Some((at, _)) = state.timers.first_key_value().map(|(key, _)| *key) else {
            return false;
        };
        if at > end {
            return false;
        }
        state.now = state.now.max(at);
        let mut due = Vec::new();
        while let Some(timer) = state
            .timers
            .first_entry()
            .filter(|timer| timer.key().0 <= at)
        {
            due.push(timer.remove());
        }
        drop(state);
        due.into_iter().for_each(Waker::wake);
        true
    }

    fn poll(&self, id: u64) {
        let future = self
            .0
            .lock()
            .tasks
            .get_mut(&id)
            .and_then(|entry| entry.future.take());
        let Some(mut future) = future else {
            return;
        };
        let waker: Waker = Arc::new(TaskWaker {
            id,
            world: self.clone(),
        })
        .into();
        let ended = future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready();
        let mut state = self.0.lock();
        match state.tasks.get_mut(&id) {
            Some(entry) if !ended => entry.future = Some(future),
            _ => {
                let entry = state.tasks.remove(&id);
                drop(state);
                drop((entry, future));
            }
        }
    }

    fn reach(&self, life: Life, place: &'static str) -> bool {
        let mut state = self.0.lock();
        *state.reached.entry(place).or_default() += 1;
        let planned = match state.crash_at.front_mut() {
            Some((at, count)) if *at == place => {
                *count -= 1;
                *count == 0
            }
            _ => false,
        };
        if planned {
            state.crash_at.pop_front();
        }
        let chance = state.crash_chance;
        let crash = planned || (chance > 0 && state.rng.chance(chance));
        if crash {
            state.crashing.insert(life);
        }
        crash
    }
}

/// Ends when the virtual clock has come that far.
pub struct Sleep {
    world: World,
    at: i64,
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let world = self.world.clone();
        let mut state = world.0.lock();
        if state.now >= self.at {
            return Poll::Ready(());
        }
        let id = *self.id.get_or_insert_with(|| {
            state.next += 1;
            state.next
        });
        let waker = state.timers.insert((self.at, id), cx.waker().clone());
        drop(state);
        drop(waker);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let waker = self.world.0.lock().timers.remove(&(self.at, id));
            drop(waker);
        }
    }
}

/// The world as one host sees it.
pub struct HostPlatform {
    pub world: World,
    pub life: Life,
    /// How far its clock is wrong, in milliseconds.
    pub skew: i64,
}

impl Platform for HostPlatform {
    fn now(&self) -> Timestamp {
        Timestamp(self.world.now().0 + self.skew)
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(
            self.world
                .sleep_until(Timestamp(at.0.saturating_sub(self.skew))),
        )
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> Task {
        let world = self.world.clone();
        let id = world.spawn(self.life, task);
        Task::new(move || world.abort(id))
    }

    fn random(&self) -> [u8; 16] {
        self.world.with_rng(Rng::bytes)
    }

    fn reach(&self, place: &'static str) -> Option<BoxFuture<'static, ()>> {
        // The poll that reaches it is the last of this life.
        self.world
            .reach(self.life, place)
            .then(|| Box::pin(std::future::pending()) as BoxFuture<'static, ()>)
    }
}

/// The value of a future that waits for nothing in this world: at most for another thread.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
