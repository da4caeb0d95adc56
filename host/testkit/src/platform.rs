//! The workflow engine's platform in a world: virtual time, and randomness that repeats.

use berth_blocks::{clock, workflow::Timestamp};
use berth_workflow::{Config, Platform, Random, Task};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::time::{Duration, UNIX_EPOCH};

/// Longer than any scenario: nothing of a host alone is due before.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Virtual time, and randomness that follows from a seed.
pub(crate) struct Virtual(Mutex<Random>);

impl Virtual {
    pub(crate) fn new(seed: &str) -> Self {
        Self(Mutex::new(Random::new(seed)))
    }
}

impl Platform for Virtual {
    fn now(&self) -> Timestamp {
        let since = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let rest = self.now().until(at);
        Box::pin(tokio::time::sleep(rest))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> Task {
        let handle = tokio::spawn(task).abort_handle();
        Task::new(move || handle.abort())
    }

    fn random(&self) -> [u8; 16] {
        let bytes = self.0.lock().bytes(16);
        bytes.try_into().unwrap_or([0; 16])
    }
}

/// An engine whose host is alone: it looks for nothing that nobody announced, so that a month is one step.
pub(crate) fn config(instances: u32) -> Config {
    let instances = instances as usize;
    Config {
        instances_max: (instances / 2).max(1),
        activities_max: instances,
        lease: NEVER,
        poll_interval: NEVER,
        housekeeping_interval: NEVER,
        stuck_after: NEVER,
        ..Config::default()
    }
}
