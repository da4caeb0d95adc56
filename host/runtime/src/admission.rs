//! Who may enter: a bounded number of calls per app, a bounded queue before it, and the host's pool behind both.
//!
//! An app can hold at most its own concurrency of places in the host-wide queue, and that queue is first in, first out:
//! no app can push another out of it.

use crate::failure::Failure;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// The gate before one app.
#[derive(Debug)]
pub(crate) struct Gate {
    app: Arc<Semaphore>,
    pool: Arc<Semaphore>,
    concurrency: u32,
    queue: u32,
    waiting: AtomicU32,
}

/// The right to run one call. Dropped: the next one enters.
#[derive(Debug)]
pub(crate) struct Permit {
    _app: OwnedSemaphorePermit,
    _pool: OwnedSemaphorePermit,
}

impl Gate {
    pub(crate) fn new(concurrency: u32, queue: u32, pool: Arc<Semaphore>) -> Self {
        let app = Arc::new(Semaphore::new(concurrency as usize));
        Self {
            app,
            pool,
            concurrency,
            queue,
            waiting: AtomicU32::new(0),
        }
    }

    /// Enters at once if there is room, else waits in the queue until `deadline`.
    pub(crate) async fn enter(&self, deadline: Instant) -> Result<Permit, Failure> {
        if let Some(permit) = self.try_enter()? {
            return Ok(permit);
        }
        let _place = Place::take(self)?;
        let both = async {
            let app = self
                .app
                .clone()
                .acquire_owned()
                .await
                .map_err(|_| Failure::Draining)?;
            let pool = self
                .pool
                .clone()
                .acquire_owned()
                .await
                .map_err(|_| Failure::Draining)?;
            Ok(Permit {
                _app: app,
                _pool: pool,
            })
        };
        match tokio::time::timeout_at(deadline.into(), both).await {
            Ok(entered) => entered,
            Err(_) => Err(Failure::Overloaded),
        }
    }

    fn try_enter(&self) -> Result<Option<Permit>, Failure> {
        // Those who wait come first.
        if self.waiting.load(Ordering::Relaxed) > 0 {
            return Ok(None);
        }
        let place = |semaphore: &Arc<Semaphore>| match semaphore.clone().try_acquire_owned() {
            Ok(permit) => Ok(Some(permit)),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(Failure::Draining),
        };
        let Some(app) = place(&self.app)? else {
            return Ok(None);
        };
        let Some(pool) = place(&self.pool)? else {
            return Ok(None);
        };
        Ok(Some(Permit {
            _app: app,
            _pool: pool,
        }))
    }

    /// Calls that run.
    pub(crate) fn running(&self) -> u32 {
        self.concurrency
            .saturating_sub(u32::try_from(self.app.available_permits()).unwrap_or(u32::MAX))
    }

    /// Calls that wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A place in the queue, given back on every path.
struct Place<'a>(&'a Gate);

impl<'a> Place<'a> {
    fn take(gate: &'a Gate) -> Result<Self, Failure> {
        let room = |waiting| (waiting < gate.queue).then(|| waiting + 1);
        match gate
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
        {
            Ok(_) => Ok(Self(gate)),
            Err(_) => Err(Failure::Overloaded),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn gate(concurrency: u32, queue: u32, pool: usize) -> Gate {
        Gate::new(concurrency, queue, Arc::new(Semaphore::new(pool)))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn a_call_beyond_the_queue_is_refused_at_once() {
        let gate = gate(1, 0, 10);
        let _running = gate.enter(soon()).await.unwrap();
        assert_eq!(gate.enter(soon()).await.unwrap_err(), Failure::Overloaded);
    }

    #[tokio::test]
    async fn a_call_in_the_queue_enters_when_another_ends() {
        let gate = Arc::new(gate(1, 1, 10));
        let running = gate.enter(soon()).await.unwrap();
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter(soon()).await.is_ok() }
        });
        while gate.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        drop(running);
        assert!(waiting.await.unwrap());
        assert_eq!((gate.running(), gate.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_does_not_wait_beyond_its_deadline() {
        let gate = gate(1, 5, 10);
        let _running = gate.enter(soon()).await.unwrap();
        let refused = gate
            .enter(tokio::time::Instant::now().into_std() + Duration::from_secs(1))
            .await;
        assert_eq!(refused.unwrap_err(), Failure::Overloaded);
        assert_eq!(gate.waiting(), 0);
    }

    #[tokio::test]
    async fn the_pool_of_the_host_holds_for_all_apps_together() {
        let pool = Arc::new(Semaphore::new(1));
        let (one, other) = (Gate::new(5, 0, pool.clone()), Gate::new(5, 0, pool));
        let _running = one.enter(soon()).await.unwrap();
        assert_eq!(other.enter(soon()).await.unwrap_err(), Failure::Overloaded);
    }
}
