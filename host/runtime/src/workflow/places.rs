//! Places of the pool that workflows may hold: half of it, so that activities and requests always find one.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long an instance waits for a place before it asks others for theirs.
const PATIENCE: Duration = Duration::from_millis(20);

/// Asks whoever owns waiting instances to give some up.
type Shortage = Box<dyn Fn(usize) + Send + Sync>;

/// The places of workflow instances.
pub(crate) struct Places {
    own: Arc<Semaphore>,
    pool: Arc<Semaphore>,
    shortage: OnceLock<Shortage>,
}

/// A place, free when dropped.
pub(crate) struct Place {
    _own: OwnedSemaphorePermit,
    _pool: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(instances: u32, pool: Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self {
            own: Arc::new(Semaphore::new((instances as usize / 2).max(1))),
            pool,
            shortage: OnceLock::new(),
        })
    }

    pub(crate) fn on_shortage(&self, release: impl Fn(usize) + Send + Sync + 'static) {
        let _ = self.shortage.set(Box::new(release));
    }

    /// A place. Waits while there is none, and asks instances that only wait to give theirs up. `None`: the host stops.
    pub(crate) async fn take(&self) -> Option<Place> {
        let own = loop {
            match tokio::time::timeout(PATIENCE, self.own.clone().acquire_owned()).await {
                Ok(own) => break own.ok()?,
                Err(_) => {
                    if let Some(release) = self.shortage.get() {
                        release(1);
                    }
                }
            }
        };
        let pool = self.pool.clone().acquire_owned().await.ok()?;
        Some(Place {
            _own: own,
            _pool: pool,
        })
    }
}
