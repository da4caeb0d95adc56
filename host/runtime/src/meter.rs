//! What one call uses: memory, tables, CPU time.

use crate::engine::EPOCH;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
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

/// The most that a poll counts whose processor time was not measured. A guest yields at every epoch: what lasts longer
/// was a thread that had to wait for its processor, on a machine with more work than processors.
const POLL_MAX: Duration = EPOCH.saturating_mul(2);

/// CPU time of one call: what its future used while it was being polled. Waiting in the host does not count.
///
/// Most polls end within an epoch and are timed by the wall clock, which costs nothing. A guest that computes for a
/// whole epoch is measured from its next poll on by the processor time of its thread (a system call at either end), so
/// that a busy machine takes nothing from what the limit grants.
#[derive(Debug)]
pub(crate) struct CpuClock {
    origin: Instant,
    limit: Duration,
    /// Nanoseconds of finished polls.
    used: AtomicU64,
    /// Nanoseconds after `origin` at which the present poll began, or of its thread's processor time.
    began: AtomicU64,
    /// The present poll counts its thread's processor time.
    measured: AtomicBool,
    /// The last poll took a whole epoch.
    computing: AtomicBool,
}

impl CpuClock {
    fn new(limit: Duration) -> Self {
        Self {
            origin: Instant::now(),
            limit,
            used: AtomicU64::new(0),
            began: AtomicU64::new(0),
            measured: AtomicBool::new(false),
            computing: AtomicBool::new(false),
        }
    }

    /// Nanoseconds on the clock that this poll counts by.
    fn now(&self, measured: bool) -> u64 {
        let now = if measured {
            processor_time()
        } else {
            self.origin.elapsed()
        };
        u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Call before the guest's future is polled, on the thread that polls it.
    pub(crate) fn begin(&self) {
        let measured = self.computing.swap(false, Ordering::Relaxed);
        self.measured.store(measured, Ordering::Relaxed);
        self.began.store(self.now(measured), Ordering::Relaxed);
    }

    /// Call after it was polled.
    pub(crate) fn end(&self) {
        self.used.fetch_add(self.poll(), Ordering::Relaxed);
    }

    /// Nanoseconds of the present poll.
    fn poll(&self) -> u64 {
        let measured = self.measured.load(Ordering::Relaxed);
        let used = self
            .now(measured)
            .saturating_sub(self.began.load(Ordering::Relaxed));
        if measured {
            return used;
        }
        used.min(u64::try_from(POLL_MAX.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Whether the limit is used up, asked at the end of an epoch.
    fn exhausted(&self) -> bool {
        self.computing.store(true, Ordering::Relaxed);
        let used = self
            .used
            .load(Ordering::Relaxed)
            .saturating_add(self.poll());
        Duration::from_nanos(used) > self.limit
    }
}

/// Processor time of the calling thread.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A poll that computes for `used` of processor time, asks at its end as an epoch does, and then waits for its
    /// processor as long again.
    fn compute(clock: &CpuClock, used: Duration) -> bool {
        clock.begin();
        let start = processor_time();
        while processor_time() - start < used {
            std::hint::spin_loop();
        }
        std::thread::sleep(used);
        let exhausted = clock.exhausted();
        clock.end();
        exhausted
    }

    #[test]
    fn a_thread_that_waits_for_its_processor_uses_nothing() {
        let clock = CpuClock::new(Duration::from_millis(100));
        assert!(!compute(&clock, EPOCH), "the first poll");
        for poll in 1..=5 {
            assert!(!compute(&clock, EPOCH), "poll {poll}");
        }
        let used = Duration::from_nanos(clock.used.load(Ordering::Relaxed));
        assert!(used < Duration::from_millis(90), "{used:?}");
    }

    #[test]
    fn what_a_guest_computes_counts() {
        let clock = CpuClock::new(Duration::from_millis(40));
        let polls = (0..6).filter(|_| !compute(&clock, EPOCH)).count();
        assert!(polls <= 4, "{polls} polls of 10 ms were let through");
    }
}
