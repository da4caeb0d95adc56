//! How often an activity is attempted, and when.

use crate::Failure;
use berth_blocks::workflow::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When a failed activity is attempted again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all; 0 is taken as 1.
    pub max_attempts: u32,
    /// Pause after the first attempt.
    pub first_interval: Duration,
    /// Factor from each pause to the next; below 1 is taken as 1.
    pub backoff: f64,
    /// Longest pause; absent: no bound.
    pub max_interval: Option<Duration>,
    /// No attempt begins later than this after the activity was scheduled; absent: no bound.
    pub total_timeout: Option<Duration>,
    /// Kinds of failure that are final.
    pub non_retryable: Vec<String>,
}

/// Three attempts, from one second on, doubling.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            first_interval: Duration::from_secs(1),
            backoff: 2.0,
            max_interval: None,
            total_timeout: None,
            non_retryable: Vec::new(),
        }
    }
}

impl RetryPolicy {
    /// When the attempt after `attempt` begins; `None`: that one was the last.
    pub(crate) fn next_attempt(
        &self,
        attempt: u32,
        failure: &Failure,
        scheduled_at: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let is_final = failure.non_retryable || self.non_retryable.contains(&failure.kind);
        if is_final || attempt >= self.max_attempts {
            return None;
        }
        let at = now.after(self.interval(attempt));
        let too_late = |timeout| at > scheduled_at.after(timeout);
        (!self.total_timeout.is_some_and(too_late)).then_some(at)
    }

    /// The pause after an attempt, counted from 1.
    fn interval(&self, attempt: u32) -> Duration {
        let factor = self
            .backoff
            .max(1.0)
            .powf(f64::from(attempt.saturating_sub(1)));
        let seconds = self.first_interval.as_secs_f64() * factor;
        let interval = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        interval.min(self.max_interval.unwrap_or(Duration::MAX))
    }
}

/// How an activity is called.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ActivityOptions {
    /// When it is attempted again.
    pub retry: RetryPolicy,
    /// Longest time of one attempt; absent: what the executor allows.
    pub start_to_close: Option<Duration>,
    /// The app that runs it, in the namespace of the workflow; absent: the workflow's own.
    pub app: Option<String>,
    /// Where it runs.
    pub dispatch: Dispatch,
    /// Each attempt is recorded before it begins: for effects that must not be repeated without notice. After a crash
    /// the attempt counts, and its result is a failure of kind [`Failure::LOST`].
    pub record_intent: bool,
}

/// Where an activity runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Dispatch {
    /// On the host that owns the workflow, if that serves the app; else queued.
    #[default]
    Inline,
    /// Through the task queue of the store, on whichever host serves the app.
    Queued,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Failure {
        Failure::new("io", "no route")
    }

    fn starts(policy: &RetryPolicy) -> Vec<i64> {
        let mut now = Timestamp(0);
        let mut starts = Vec::new();
        for attempt in 1.. {
            match policy.next_attempt(attempt, &failed(), Timestamp(0), now) {
                Some(at) => starts.push(at.0),
                None => break,
            }
            now = Timestamp(*starts.last().unwrap());
        }
        starts
    }

    #[test]
    fn the_default_makes_three_attempts_from_one_second_doubling() {
        assert_eq!(starts(&RetryPolicy::default()), [1_000, 3_000]);
    }

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let policy = RetryPolicy {
            max_attempts: 5,
            max_interval: Some(Duration::from_secs(3)),
            ..RetryPolicy::default()
        };
        assert_eq!(starts(&policy), [1_000, 3_000, 6_000, 9_000]);
    }

    #[test]
    fn no_attempt_begins_after_the_total_timeout() {
        let policy = RetryPolicy {
            max_attempts: 100,
            total_timeout: Some(Duration::from_secs(7)),
            ..RetryPolicy::default()
        };
        assert_eq!(starts(&policy), [1_000, 3_000, 7_000]);
    }

    #[test]
    fn final_failures_are_not_tried_again() {
        let policy = RetryPolicy {
            non_retryable: vec!["card".to_owned()],
            ..RetryPolicy::default()
        };
        let next = |failure: &Failure| policy.next_attempt(1, failure, Timestamp(0), Timestamp(0));
        assert_eq!(next(&Failure::new("card", "declined")), None);
        assert_eq!(next(&failed().non_retryable()), None);
        assert_eq!(next(&failed()), Some(Timestamp(1_000)));
    }

    #[test]
    fn extreme_numbers_neither_overflow_nor_panic() {
        let policy = RetryPolicy {
            max_attempts: u32::MAX,
            backoff: f64::INFINITY,
            first_interval: Duration::MAX,
            ..RetryPolicy::default()
        };
        let at = policy.next_attempt(u32::MAX - 1, &failed(), Timestamp(0), Timestamp(0));
        assert_eq!(at, Some(Timestamp(i64::MAX)));
        let nan = RetryPolicy {
            backoff: f64::NAN,
            ..RetryPolicy::default()
        };
        assert_eq!(starts(&nan), [1_000, 2_000]);
    }
}
