//! What one call uses: memory, tables, CPU time.

use std::{
    cell::Cell,
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

/// A poll that takes less is timed by the wall clock; one that takes longer may have waited for its processor. No reading
/// of a thread's processor time is older when a poll begins.
const BRIEF: Duration = Duration::from_millis(1);

/// What a thread had used at some time.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    used: Duration,
}

thread_local! {
    /// The latest reading of this thread: asking takes a system call.
    static LATEST: Cell<Option<Reading>> = const { Cell::new(None) };
}

/// CPU time of one call: what its future used while it was being polled. Waiting in the host does not count.
///
/// On a machine with more work than processors a thread waits for its processor, which is nothing that the guest used:
/// long polls count what their thread's processor time says, to the millisecond.
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

    /// Call before the guest's future is polled, on the thread that polls it.
    pub(crate) fn begin(&self) {
        let at = Instant::now();
        let began = at.saturating_duration_since(self.origin);
        self.began.store(nanoseconds(began), Ordering::Relaxed);
        LATEST.with(|latest| {
            let is_old = |reading: Reading| at.saturating_duration_since(reading.at) >= BRIEF;
            if latest.get().is_none_or(is_old) {
                let used = processor_time();
                latest.set(Some(Reading { at, used }));
            }
        });
    }

    /// Call after it was polled.
    pub(crate) fn end(&self) {
        self.used
            .fetch_add(nanoseconds(self.poll()), Ordering::Relaxed);
    }

    /// What the present poll has used.
    fn poll(&self) -> Duration {
        let began = Duration::from_nanos(self.began.load(Ordering::Relaxed));
        let took = self.origin.elapsed().saturating_sub(began);
        match LATEST.get() {
            Some(latest) if took >= BRIEF => took.min(processor_time().saturating_sub(latest.used)),
            _ => took,
        }
    }

    fn exhausted(&self) -> bool {
        let used = Duration::from_nanos(self.used.load(Ordering::Relaxed));
        used + self.poll() > self.limit
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
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
    use crate::engine::EPOCH;

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
        for poll in 1..=6 {
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
