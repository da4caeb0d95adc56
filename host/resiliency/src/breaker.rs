//! One circuit breaker: a state machine that is told the time.
//!
//! ```text
//! closed ──(trip holds)──▶ open ──(timeout)──▶ half-open ──(maxRequests successes in a row)──▶ closed
//!                           ▲─────────────(one failure)───────┘
//! ```
//!
//! The rules are those of the breaker in Dapr (sony/gobreaker): each state has a generation of its own, and an attempt
//! that ends in a later generation than it began in is not counted.

use crate::{
    meters::BreakerMeters,
    policy::Health,
    trip::{Counts, Trip},
};
use berth_resources::CircuitBreakerPolicy;
use parking_lot::Mutex;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// What a breaker does with the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BreakerState {
    /// Lets everything through and counts.
    Closed,
    /// Lets `maxRequests` attempts through to see whether the target works again.
    HalfOpen,
    /// Lets nothing through.
    Open,
}

impl BreakerState {
    /// As metrics and listings name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why an attempt was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The breaker is open for another while.
    Open(Duration),
    /// The breaker is half-open, and as many attempts as it wants to see are under way.
    HalfOpen,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(rest) => {
                let rest = Duration::from_millis(u64::try_from(rest.as_millis()).unwrap_or(u64::MAX));
                write!(f, "its circuit breaker is open for another {rest:?}")
            }
            Self::HalfOpen => f.write_str(
                "its circuit breaker is half-open and waits for the attempts that it has let through",
            ),
        }
    }
}

/// A circuit breaker.
pub(crate) struct Breaker {
    max_requests: u32,
    interval: Duration,
    timeout: Duration,
    trip: Trip,
    machine: Mutex<Machine>,
    meters: Arc<BreakerMeters>,
}

#[derive(Debug)]
struct Machine {
    phase: Phase,
    generation: u64,
    counts: Counts,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// `forgets`: when the counts begin anew.
    Closed {
        forgets: Option<Instant>,
    },
    HalfOpen,
    Open {
        until: Instant,
    },
}

impl Phase {
    fn state(self) -> BreakerState {
        match self {
            Self::Closed { .. } => BreakerState::Closed,
            Self::HalfOpen => BreakerState::HalfOpen,
            Self::Open { .. } => BreakerState::Open,
        }
    }
}

impl Breaker {
    /// A closed breaker.
    pub(crate) fn new(
        policy: &CircuitBreakerPolicy,
        meters: Arc<BreakerMeters>,
        now: Instant,
    ) -> Self {
        meters.enter(BreakerState::Closed);
        let breaker = Self {
            max_requests: policy.max_requests.max(1),
            interval: policy.interval,
            timeout: policy.timeout,
            trip: Trip::compile(policy),
            machine: Mutex::new(Machine {
                phase: Phase::HalfOpen,
                generation: 0,
                counts: Counts::default(),
            }),
            meters,
        };
        breaker.machine.lock().phase = breaker.closed(now);
        breaker
    }

    /// Its state at a moment. An open one whose time is over is half-open, whether or not an attempt has come.
    pub(crate) fn state(&self, now: Instant) -> BreakerState {
        match self.machine.lock().phase {
            Phase::Open { until } if now >= until => BreakerState::HalfOpen,
            phase => phase.state(),
        }
    }

    /// Lets an attempt through, or says why not. An attempt that is given up before `deadline` without an end is not
    /// counted: it says nothing about the target.
    pub(crate) fn admit(
        self: &Arc<Self>,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Permit, Refusal> {
        let mut machine = self.machine.lock();
        self.advance(&mut machine, now);
        match machine.phase {
            Phase::Open { until } => {
                return Err(Refusal::Open(until.saturating_duration_since(now)));
            }
            Phase::HalfOpen if machine.counts.requests >= self.max_requests => {
                return Err(Refusal::HalfOpen);
            }
            Phase::HalfOpen | Phase::Closed { .. } => {}
        }
        machine.counts.begin();
        Ok(Permit {
            breaker: Some(self.clone()),
            generation: machine.generation,
            deadline,
        })
    }

    fn settle(&self, generation: u64, health: Health, now: Instant) {
        let mut machine = self.machine.lock();
        self.advance(&mut machine, now);
        if machine.generation != generation {
            return;
        }
        match health {
            Health::Unknown => machine.counts.forget_one(),
            Health::Works => {
                machine.counts.succeed();
                let enough = machine.counts.consecutive_successes >= self.max_requests;
                if matches!(machine.phase, Phase::HalfOpen) && enough {
                    self.enter(&mut machine, self.closed(now));
                }
            }
            Health::Fails => {
                machine.counts.fail();
                let half_open = matches!(machine.phase, Phase::HalfOpen);
                if half_open || self.trip.holds(machine.counts) {
                    let until = now + self.timeout;
                    self.enter(&mut machine, Phase::Open { until });
                }
            }
        }
    }

    /// What time alone brings.
    fn advance(&self, machine: &mut Machine, now: Instant) {
        match machine.phase {
            Phase::Closed { forgets: Some(at) } if now >= at => {
                self.enter(machine, self.closed(now));
            }
            Phase::Open { until } if now >= until => self.enter(machine, Phase::HalfOpen),
            _ => {}
        }
    }

    fn enter(&self, machine: &mut Machine, phase: Phase) {
        let (before, after) = (machine.phase.state(), phase.state());
        machine.phase = phase;
        machine.generation = machine.generation.wrapping_add(1);
        machine.counts = Counts::default();
        if before != after {
            self.meters.change(before, after);
        }
    }

    fn closed(&self, now: Instant) -> Phase {
        let forgets = (!self.interval.is_zero()).then(|| now + self.interval);
        Phase::Closed { forgets }
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        self.meters.leave(self.machine.get_mut().phase.state());
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("machine", &*self.machine.lock())
            .finish_non_exhaustive()
    }
}

/// An attempt that a breaker let through. Dropped without an end it is taken back; after its deadline it has failed.
#[derive(Debug)]
#[must_use = "the breaker waits for the end of the attempt"]
pub struct Permit {
    /// Taken when the attempt has ended.
    breaker: Option<Arc<Breaker>>,
    generation: u64,
    deadline: Option<Instant>,
}

impl Permit {
    /// Of a target without a breaker.
    pub(crate) const FREE: Self = Self {
        breaker: None,
        generation: 0,
        deadline: None,
    };

    /// Tells the breaker how the attempt ended.
    pub(crate) fn settle(mut self, health: Health) {
        if let Some(breaker) = self.breaker.take() {
            breaker.settle(self.generation, health, Instant::now());
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(breaker) = self.breaker.take() else {
            return;
        };
        let now = Instant::now();
        // Who gave up at the deadline has waited for an answer in vain; who gave up before had reasons of its own.
        let late = self.deadline.is_some_and(|deadline| now >= deadline);
        let health = if late { Health::Fails } else { Health::Unknown };
        breaker.settle(self.generation, health, now);
    }
}

#[cfg(test)]
mod tests;
