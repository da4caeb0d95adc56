//! When a failed activity or child is attempted again.

use super::RetryPolicy;
use std::time::Duration;

impl RetryPolicy {
    /// So many attempts in all: one second after the first, and twice as long from each to the next, unless said otherwise.
    #[must_use]
    pub fn attempts(attempts: u32) -> Self {
        Self {
            max_attempts: attempts.max(1),
            first_interval_ms: 0,
            backoff: 0.0,
            max_interval_ms: None,
            total_timeout_ms: None,
            non_retryable: Vec::new(),
        }
    }

    /// One attempt.
    #[must_use]
    pub fn never() -> Self {
        Self::attempts(1)
    }

    /// However often it takes: what has to be done, such as to undo something.
    #[must_use]
    pub fn forever() -> Self {
        Self::attempts(u32::MAX)
    }

    /// Pause after the first attempt, in whole milliseconds.
    #[must_use]
    pub fn first_interval(mut self, pause: Duration) -> Self {
        self.first_interval_ms = milliseconds(pause);
        self
    }

    /// Factor from each pause to the next.
    #[must_use]
    pub fn backoff(mut self, factor: f64) -> Self {
        self.backoff = factor;
        self
    }

    /// Longest pause.
    #[must_use]
    pub fn max_interval(mut self, pause: Duration) -> Self {
        self.max_interval_ms = Some(milliseconds(pause));
        self
    }

    /// No attempt begins later than this after the first.
    #[must_use]
    pub fn total_timeout(mut self, time: Duration) -> Self {
        self.total_timeout_ms = Some(milliseconds(time));
        self
    }

    /// A kind of failure that is final.
    #[must_use]
    pub fn not_on(mut self, kind: impl Into<String>) -> Self {
        self.non_retryable.push(kind.into());
        self
    }
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_what_was_said() {
        let policy = RetryPolicy::attempts(4)
            .first_interval(Duration::from_millis(200))
            .backoff(1.5)
            .not_on("out-of-stock");
        assert_eq!((policy.max_attempts, policy.first_interval_ms), (4, 200));
        assert_eq!(policy.non_retryable, ["out-of-stock"]);
        assert_eq!(
            RetryPolicy::attempts(0).max_attempts,
            1,
            "0 is the host's default"
        );
    }
}
