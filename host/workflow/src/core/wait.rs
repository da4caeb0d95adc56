//! Calls of the code that wait for operations.

use std::{
    collections::{BTreeMap, BTreeSet},
    task::Waker,
};

/// What a call waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// One operation, or the first of several.
    Any(Vec<u64>),
    /// All of them.
    All(Vec<u64>),
}

#[derive(Debug)]
struct Waiter {
    /// Operations that are pending.
    missing: BTreeSet<u64>,
    /// All of them must end, not one.
    all: bool,
    waker: Waker,
    /// It has what it waits for, and was woken.
    ready: bool,
}

/// All waiting calls: one for a guest with synchronous imports, several for code that awaits concurrently.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: BTreeMap<u64, Waiter>,
    next: u64,
}

impl Waiters {
    /// Whether a call has what it waits for; if not, it is registered under `id`.
    pub(super) fn poll(
        &mut self,
        id: &mut Option<u64>,
        wait: &WaitFor,
        waker: &Waker,
        pending: impl Fn(&u64) -> bool,
    ) -> bool {
        if let Some(waiter) = id.and_then(|id| self.waiting.get_mut(&id)) {
            waiter.waker.clone_from(waker);
            return waiter.ready;
        }
        let (operations, all) = match wait {
            WaitFor::Any(operations) => (operations, false),
            WaitFor::All(operations) => (operations, true),
        };
        let missing: BTreeSet<u64> = operations.iter().copied().filter(pending).collect();
        let is_ready = match wait {
            WaitFor::Any(operations) => operations.is_empty() || missing.len() < operations.len(),
            WaitFor::All(_) => missing.is_empty(),
        };
        if is_ready {
            return true;
        }
        self.next += 1;
        *id = Some(self.next);
        let waiter = Waiter {
            missing,
            all,
            waker: waker.clone(),
            ready: false,
        };
        self.waiting.insert(self.next, waiter);
        false
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.waiting.remove(&id);
    }

    /// Whether there are any, and none has what it waits for.
    pub(super) fn all_wait(&self) -> bool {
        !self.waiting.is_empty() && self.waiting.values().all(|waiter| !waiter.ready)
    }

    /// Pending operations that calls wait for.
    pub(super) fn operations(&self) -> impl Iterator<Item = u64> {
        let waits = self.waiting.values();
        waits.flat_map(|waiter| waiter.missing.iter().copied())
    }

    /// Wakes the calls that an operation's end satisfies.
    pub(super) fn wake(&mut self, ended: u64) {
        for waiter in self.waiting.values_mut() {
            if waiter.missing.remove(&ended) && (!waiter.all || waiter.missing.is_empty()) {
                waiter.ready = true;
                waiter.waker.wake_by_ref();
            }
        }
    }
}
