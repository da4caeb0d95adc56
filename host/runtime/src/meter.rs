//! What one call uses: memory, tables, CPU time.

use crate::engine::EPOCH;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use wasmtime::{ResourceLimiter, Result, UpdateDeadline};

/// Counts the memory and tables of one instance and remembers the first limit that was hit.
#[derive(Debug)]
pub(crate) struct Meter {
    memory: usize,
    memory_max: usize,
    table: usize,
    table_max: usize,
    pub(crate) refused: Option<Refused>,
    pub(crate) cpu: Arc<CpuClock>,
}

/// What the guest asked for in vain. It may cope; if it traps, this is why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Memory,
    Table,
}

/// The trap of a guest that used up its CPU time.
#[derive(Debug, thiserror::Error)]
#[error("CPU time used up")]
pub(crate) struct CpuTimeUsed;

impl Meter {
    pub(crate) fn new(limits: &berth_resources::Limits) -> Self {
        Self {
            memory: 0,
            memory_max: usize::try_from(limits.memory.0).unwrap_or(usize::MAX),
            table: 0,
            table_max: limits.table_elements as usize,
            refused: None,
            cpu: Arc::new(CpuClock::new(limits.cpu_time)),
        }
    }

    /// Begins a new call on the same instance.
    pub(crate) fn restart(&mut self) {
        self.refused = None;
        self.cpu.used.store(0, Ordering::Relaxed);
    }

    /// What happens when a guest has computed for a whole epoch: stop it, or let others run.
    pub(crate) fn on_epoch(&self) -> Result<UpdateDeadline> {
        if self.cpu.exhausted() {
            return Err(CpuTimeUsed.into());
        }
        // tokio's own yield respects its budget; the plain one would starve the other tasks of this worker.
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(tokio::task::yield_now()),
        ))
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        // Summed over the memories of the instance: a composed guest has several.
        let total = self.memory.saturating_sub(current).saturating_add(desired);
        if total > self.memory_max {
            self.refused = Some(Refused::Memory);
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        let total = self.table.saturating_sub(current).saturating_add(desired);
        if total > self.table_max {
            self.refused = Some(Refused::Table);
            return Ok(false);
        }
        self.table = total;
        Ok(true)
    }
}

/// The most that one poll counts. A guest yields at every epoch: what lasts longer was a thread that had to wait for its
/// processor, on a machine with more work than processors, and is nothing that the guest used.
const POLL_MAX: Duration = EPOCH.saturating_mul(2);

/// CPU time of one call: the time that its future was being polled. Waiting in the host does not count.
#[derive(Debug)]
pub(crate) struct CpuClock {
    origin: Instant,
    limit: Duration,
    /// Nanoseconds of finished polls.
    used: AtomicU64,
    /// Nanoseconds after `origin` at which the present poll began.
    began: AtomicU64,
}

impl CpuClock {
    fn new(limit: Duration) -> Self {
        Self {
            origin: Instant::now(),
            limit,
            used: AtomicU64::new(0),
            began: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Call before the guest's future is polled.
    pub(crate) fn begin(&self) {
        self.began.store(self.now(), Ordering::Relaxed);
    }

    /// Call after it was polled.
    pub(crate) fn end(&self) {
        self.used.fetch_add(self.poll(), Ordering::Relaxed);
    }

    /// Nanoseconds of the present poll.
    fn poll(&self) -> u64 {
        let elapsed = self
            .now()
            .saturating_sub(self.began.load(Ordering::Relaxed));
        elapsed.min(u64::try_from(POLL_MAX.as_nanos()).unwrap_or(u64::MAX))
    }

    fn exhausted(&self) -> bool {
        let used = self
            .used
            .load(Ordering::Relaxed)
            .saturating_add(self.poll());
        Duration::from_nanos(used) > self.limit
    }
}
