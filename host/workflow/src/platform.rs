//! What the engine takes from the world: time, randomness, tasks. Injected, so that a simulation owns all of it.

use berth_blocks::workflow::Timestamp;
use futures::future::BoxFuture;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A spawned task: it ends when this is dropped.
pub struct Task(Option<Box<dyn FnOnce() + Send>>);

impl Task {
    /// A task that `abort` ends.
    pub fn new(abort: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(abort)))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(abort) = self.0.take() {
            abort();
        }
    }
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Task")
    }
}

/// Time, randomness and tasks.
pub trait Platform: Send + Sync + 'static {
    /// The clock. May jump.
    fn now(&self) -> Timestamp;

    /// Ends when the clock has reached `at`.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()>;

    /// Runs something beside the caller.
    fn spawn(&self, task: BoxFuture<'static, ()>) -> Task;

    /// Bytes that nobody can guess: identities are made of them.
    fn random(&self) -> [u8; 16];

    /// A named place in the engine was reached where a crash would be instructive. Simulations may crash here.
    fn reach(&self, _place: &'static str) -> Option<BoxFuture<'static, ()>> {
        None
    }
}

/// The real world, on a tokio runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokio;

impl Platform for Tokio {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp(since.map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        }))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        // In steps, since the clock may be set, which tokio's own timer does not notice.
        const STEP: Duration = Duration::from_secs(10);
        Box::pin(async move {
            loop {
                let rest = Self.now().until(at);
                if rest.is_zero() {
                    return;
                }
                tokio::time::sleep(rest.min(STEP)).await;
            }
        })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> Task {
        let handle = tokio::spawn(task).abort_handle();
        Task::new(move || handle.abort())
    }

    fn random(&self) -> [u8; 16] {
        uuid::Uuid::new_v4().into_bytes()
    }
}
