//! Instances that wait for another call (`instances.reuse`). They hold places of the pool without a permit, so they go
//! when they wait too long, and at once when the pool has no place left for a call.

use crate::guest::Guest;
use parking_lot::Mutex;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};

/// An instance that nobody needed for this long is dropped.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// How often that is looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// The guests of a host whose instances may wait.
#[derive(Default)]
pub(crate) struct IdleInstances(Mutex<Vec<Weak<Guest>>>);

impl IdleInstances {
    /// Looks after the idle instances of a guest for as long as it lives.
    pub(crate) fn watch(&self, guest: &Arc<Guest>) {
        self.0.lock().push(Arc::downgrade(guest));
    }

    /// Drops every idle instance: a call needs the place.
    pub(crate) fn evict(&self) {
        self.retire(Duration::ZERO);
    }

    fn retire(&self, idle_min: Duration) {
        let guests: Vec<_> = {
            let mut guests = self.0.lock();
            guests.retain(|guest| guest.strong_count() > 0);
            guests.iter().filter_map(Weak::upgrade).collect()
        };
        for guest in guests {
            guest.retire(idle_min);
        }
    }

    /// Drops instances that wait too long, until the host is gone.
    pub(crate) async fn sweep(idle: Weak<Self>) {
        loop {
            tokio::time::sleep(SWEEP).await;
            let Some(idle) = idle.upgrade() else { return };
            idle.retire(IDLE_MAX);
        }
    }
}
