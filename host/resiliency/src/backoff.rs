//! Pauses between attempts.

use berth_resources::{Backoff, RetryPolicy};
use std::time::Duration;

/// First pause of an exponential policy, before jitter (Dapr's default).
const FIRST: Duration = Duration::from_millis(500);
/// Factor from one pause to the next (Dapr's default).
const FACTOR: f64 = 1.5;
/// An exponential policy ends after this, whatever its number of retries (the limit of Dapr's backoff library).
const EXPONENTIAL_TOTAL: Duration = Duration::from_secs(15 * 60);

/// The pauses of one call under a policy.
#[derive(Debug)]
pub(crate) struct Pauses<'p> {
    policy: &'p RetryPolicy,
    retries: u32,
    next: Duration,
}

impl<'p> Pauses<'p> {
    /// Of a call that begins now.
    pub(crate) fn new(policy: &'p RetryPolicy) -> Self {
        Self {
            policy,
            retries: 0,
            next: FIRST,
        }
    }

    /// Whether another attempt may come, as far as their number goes.
    pub(crate) fn more(&self) -> bool {
        self.policy
            .max_retries
            .is_none_or(|most| self.retries < most)
    }

    /// How long to wait before the next attempt; `None`: there is none. `elapsed` counts from the first attempt.
    /// `jitter`, 0 to 1, spreads an exponential pause from half of it to one and a half.
    pub(crate) fn next(&mut self, elapsed: Duration, jitter: f64) -> Option<Duration> {
        if !self.more() {
            return None;
        }
        let pause = match self.policy.backoff {
            Backoff::Constant(pause) => pause,
            Backoff::Exponential { max_interval } => {
                let pause = self.next.min(max_interval).mul_f64(0.5 + jitter);
                if elapsed.saturating_add(pause) > EXPONENTIAL_TOTAL {
                    return None;
                }
                self.next = self.next.mul_f64(FACTOR).min(max_interval);
                pause
            }
        };
        self.retries = self.retries.saturating_add(1);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In milliseconds, of attempts that take no time.
    fn pauses(policy: &RetryPolicy, jitter: f64, most: usize) -> Vec<u128> {
        let mut pauses = Pauses::new(policy);
        let mut elapsed = Duration::ZERO;
        let next = || {
            let pause = pauses.next(elapsed, jitter)?;
            elapsed += pause;
            Some(pause.as_millis())
        };
        std::iter::from_fn(next).take(most).collect()
    }

    fn constant(max_retries: Option<u32>) -> RetryPolicy {
        RetryPolicy {
            backoff: Backoff::Constant(Duration::from_secs(2)),
            max_retries,
            matching: None,
        }
    }

    fn exponential(max_interval: Duration) -> RetryPolicy {
        RetryPolicy {
            backoff: Backoff::Exponential { max_interval },
            max_retries: None,
            matching: None,
        }
    }

    #[test]
    fn constant_pauses_end_with_the_last_retry() {
        assert_eq!(pauses(&constant(Some(3)), 0.9, 10), [2000, 2000, 2000]);
        assert_eq!(pauses(&constant(Some(0)), 0.0, 10), [0; 0]);
        // No quarter of an hour for these.
        assert_eq!(pauses(&constant(None), 0.0, 999).len(), 999);
    }

    #[test]
    fn exponential_pauses_grow_to_the_longest_and_end_after_a_quarter_of_an_hour() {
        let policy = exponential(Duration::from_secs(60));
        let all = pauses(&policy, 0.5, 1000);
        assert_eq!(all[..4], [500, 750, 1125, 1687]);
        assert_eq!(all.last(), Some(&60_000));
        assert!((840_000..=900_000).contains(&all.iter().sum::<u128>()));
        assert_eq!(pauses(&policy, 0.0, 1), [250]);
        assert_eq!(pauses(&policy, 1.0, 1), [750]);
    }

    #[test]
    fn the_first_pause_is_not_longer_than_the_longest() {
        let policy = exponential(Duration::from_millis(100));
        assert_eq!(pauses(&policy, 0.5, 3), [100, 100, 100]);
    }

    #[test]
    fn slow_attempts_count_towards_the_quarter_of_an_hour() {
        let policy = exponential(Duration::from_secs(60));
        let mut pauses = Pauses::new(&policy);
        assert!(pauses.next(Duration::from_secs(899), 0.5).is_some());
        assert_eq!(pauses.next(Duration::from_secs(900), 0.5), None);
    }
}
