//! The condition that opens a circuit breaker.

use berth_resources::CircuitBreakerPolicy;
use cel::{Context, Program, Value};
use std::sync::LazyLock;

/// What a breaker has counted since it last forgot. Requests are counted when they begin, the rest when they end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requests: u32,
    pub(crate) total_successes: u32,
    pub(crate) total_failures: u32,
    pub(crate) consecutive_successes: u32,
    pub(crate) consecutive_failures: u32,
}

impl Counts {
    pub(crate) fn begin(&mut self) {
        self.requests = self.requests.saturating_add(1);
    }

    /// As if it had never begun.
    pub(crate) fn forget_one(&mut self) {
        self.requests = self.requests.saturating_sub(1);
    }

    pub(crate) fn succeed(&mut self) {
        self.total_successes = self.total_successes.saturating_add(1);
        self.consecutive_successes = self.consecutive_successes.saturating_add(1);
        self.consecutive_failures = 0;
    }

    pub(crate) fn fail(&mut self) {
        self.total_failures = self.total_failures.saturating_add(1);
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        self.consecutive_successes = 0;
    }

    /// In the order of [`CircuitBreakerPolicy::COUNTS`].
    fn values(self) -> [u32; 5] {
        [
            self.requests,
            self.total_successes,
            self.total_failures,
            self.consecutive_successes,
            self.consecutive_failures,
        ]
    }
}

/// Failures in a row that Dapr's default condition tolerates.
const FAILURES_TOLERATED: u32 = 5;

/// The functions of CEL. To register them anew at each failure would cost sixty times the evaluation.
static STANDARD: LazyLock<Context<'static, 'static>> = LazyLock::new(Context::default);

/// A compiled condition.
pub(crate) struct Trip(Option<Program>);

impl Trip {
    /// A text that does not compile was refused when its document was read; here it is the default condition.
    pub(crate) fn compile(policy: &CircuitBreakerPolicy) -> Self {
        let source = policy.trip.as_deref();
        Self(source.and_then(|source| Program::compile(source).ok()))
    }

    /// As in Dapr a condition that fails, or gives no boolean, does not hold.
    pub(crate) fn holds(&self, counts: Counts) -> bool {
        let Some(program) = &self.0 else {
            return counts.consecutive_failures > FAILURES_TOLERATED;
        };
        let mut context = STANDARD.new_inner_scope();
        for (name, count) in CircuitBreakerPolicy::COUNTS.iter().zip(counts.values()) {
            context.add_variable_from_value(*name, Value::Int(count.into()));
        }
        matches!(program.execute(&context), Ok(Value::Bool(true)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(trip: Option<&str>, counts: Counts) -> bool {
        let policy = CircuitBreakerPolicy {
            trip: trip.map(str::to_owned),
            ..CircuitBreakerPolicy::default()
        };
        Trip::compile(&policy).holds(counts)
    }

    #[test]
    fn the_default_is_more_than_five_failures_in_a_row() {
        let failures = |consecutive_failures| Counts {
            consecutive_failures,
            ..Counts::default()
        };
        assert!(!holds(None, failures(5)));
        assert!(holds(None, failures(6)));
    }

    #[test]
    fn a_condition_sees_every_count() {
        let counts = Counts {
            requests: 10,
            total_successes: 4,
            total_failures: 6,
            consecutive_successes: 0,
            consecutive_failures: 3,
        };
        for condition in [
            "consecutiveFailures >= 3",
            "requests >= 10 && totalFailures * 2 > requests",
            "totalSuccesses == 4 && consecutiveSuccesses == 0",
            "double(totalFailures) / double(requests) > 0.5",
        ] {
            assert!(holds(Some(condition), counts), "{condition}");
        }
        for condition in [
            "consecutiveFailures > 3",
            "requests",
            "requests / consecutiveSuccesses > 1",
        ] {
            assert!(!holds(Some(condition), counts), "{condition}");
        }
    }
}
