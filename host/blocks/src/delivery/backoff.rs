//! Pauses between attempts.

use berth_resources::{Backoff, RetryPolicy};
use std::time::Duration;

/// First pause of an exponential policy.
const FIRST: Duration = Duration::from_millis(500);
/// Factor from one pause to the next.
const FACTOR: f64 = 1.5;
/// An exponential policy ends after this, whatever its number of retries.
const EXPONENTIAL_TOTAL: Duration = Duration::from_secs(15 * 60);

/// The pauses of one message under a policy.
pub(super) struct Pauses<'p> {
    policy: &'p RetryPolicy,
    retries: u32,
    next: Duration,
    spent: Duration,
}

impl<'p> Pauses<'p> {
    pub(super) fn new(policy: &'p RetryPolicy) -> Self {
        Self {
            policy,
            retries: 0,
            next: FIRST,
            spent: Duration::ZERO,
        }
    }

    /// How long to wait before the next attempt; `None`: there is none. `jitter` is 0 to 1.
    pub(super) fn next(&mut self, jitter: f64) -> Option<Duration> {
        if self
            .policy
            .max_retries
            .is_some_and(|most| self.retries >= most)
        {
            return None;
        }
        self.retries += 1;
        let Backoff::Exponential { max_interval } = self.policy.backoff else {
            let Backoff::Constant(pause) = self.policy.backoff else {
                return None;
            };
            return Some(pause);
        };
        if self.spent >= EXPONENTIAL_TOTAL {
            return None;
        }
        let pause = self.next.min(max_interval).mul_f64(0.5 + jitter);
        self.next = self.next.mul_f64(FACTOR).min(max_interval);
        self.spent += pause;
        Some(pause)
    }
}

/// How long the broker keeps a message back that no policy covers: 1 s, doubled with each attempt, up to a minute.
pub(super) fn release_delay(attempt: u32) -> Duration {
    Duration::from_secs(1 << attempt.saturating_sub(1).min(6)).min(Duration::from_secs(60))
}

/// How long to wait before a broker that could not be reached is tried again: 0.5 s, doubled, up to half a minute.
pub(super) fn reconnect_delay(failures: u32) -> Duration {
    Duration::from_millis(500 << failures.saturating_sub(1).min(6)).min(Duration::from_secs(30))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(policy: &RetryPolicy, jitter: f64, most: usize) -> Vec<u128> {
        let mut pauses = Pauses::new(policy);
        std::iter::from_fn(|| pauses.next(jitter))
            .take(most)
            .map(|pause| pause.as_millis())
            .collect()
    }

    #[test]
    fn constant_pauses_end_with_the_last_retry() {
        let policy = RetryPolicy {
            backoff: Backoff::Constant(Duration::from_secs(2)),
            max_retries: Some(3),
            matching: None,
        };
        assert_eq!(pauses(&policy, 0.9, 10), [2000, 2000, 2000]);
        assert_eq!(
            pauses(
                &RetryPolicy {
                    max_retries: Some(0),
                    ..policy.clone()
                },
                0.0,
                10
            ),
            []
        );
        assert_eq!(
            pauses(
                &RetryPolicy {
                    max_retries: None,
                    ..policy
                },
                0.0,
                99
            )
            .len(),
            99
        );
    }

    #[test]
    fn exponential_pauses_grow_to_the_longest_and_end_after_a_quarter_of_an_hour() {
        let policy = RetryPolicy {
            backoff: Backoff::Exponential {
                max_interval: Duration::from_secs(60),
            },
            max_retries: None,
            matching: None,
        };
        let all = pauses(&policy, 0.5, 1000);
        assert_eq!(all[..4], [500, 750, 1125, 1687]);
        assert_eq!(all.last(), Some(&60_000));
        assert!((900_000..960_001).contains(&all.iter().sum::<u128>()));
        assert_eq!(pauses(&policy, 0.0, 1), [250]);
        assert_eq!(pauses(&policy, 1.0, 1), [750]);
    }

    #[test]
    fn delays_are_capped() {
        assert_eq!(release_delay(1).as_secs(), 1);
        assert_eq!(release_delay(4).as_secs(), 8);
        assert_eq!(release_delay(u32::MAX).as_secs(), 60);
        assert_eq!(reconnect_delay(1).as_millis(), 500);
        assert_eq!(reconnect_delay(u32::MAX).as_secs(), 30);
    }
}
