//! The time of a host. It follows tokio's clock, so that whoever pauses and moves that one moves everything: time to
//! live, expiry, deadlines, what guests see.

use std::{
    cell::Cell,
    marker::PhantomData,
    sync::atomic::{AtomicBool, Ordering},
    time::{Instant, SystemTime},
};

/// Whether any thread of this process has an anchor: else the clock costs no more than the system's own.
static ANCHORED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static ANCHOR: Cell<Option<Anchor>> = const { Cell::new(None) };
}

/// What the wall clock showed at a moment of tokio's clock.
#[derive(Clone, Copy)]
struct Anchor {
    moment: tokio::time::Instant,
    wall: SystemTime,
}

/// The wall clock.
#[must_use]
pub fn now() -> SystemTime {
    let anchor = if ANCHORED.load(Ordering::Relaxed) {
        ANCHOR.get()
    } else {
        None
    };
    match anchor {
        Some(Anchor { moment, wall }) => wall + tokio::time::Instant::now().duration_since(moment),
        None => SystemTime::now(),
    }
}

/// The clock that deadlines are measured by.
#[must_use]
pub fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Whether this thread's wall clock follows tokio's.
#[must_use]
pub fn is_anchored() -> bool {
    ANCHORED.load(Ordering::Relaxed) && ANCHOR.get().is_some()
}

/// Lets the wall clock of this thread stand at `wall` now and move with tokio's from here on: for a host in a test, whose
/// runtime has one thread and a paused clock. Call it within that runtime.
#[must_use]
pub fn anchor(wall: SystemTime) -> Anchored {
    ANCHORED.store(true, Ordering::Relaxed);
    let anchor = Anchor {
        moment: tokio::time::Instant::now(),
        wall,
    };
    Anchored {
        before: ANCHOR.replace(Some(anchor)),
        thread: PhantomData,
    }
}

/// A wall clock that follows tokio's. Dropped: the one of before.
pub struct Anchored {
    before: Option<Anchor>,
    /// It belongs to its thread.
    thread: PhantomData<*const ()>,
}

impl Drop for Anchored {
    fn drop(&mut self) {
        ANCHOR.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn an_anchored_clock_moves_with_tokios_and_no_other_way() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let anchored = anchor(start);
        assert_eq!(now(), start);
        tokio::time::sleep(Duration::from_secs(30 * 24 * 3600)).await;
        assert_eq!(now(), start + Duration::from_secs(30 * 24 * 3600));
        drop(anchored);
        assert!(!is_anchored());
        assert!(now() > start + Duration::from_secs(365 * 24 * 3600));
    }
}
