//! Delays that no policy sets: how long a broker keeps a message back, and when one that is gone is asked again.

use std::time::Duration;

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

    #[test]
    fn delays_are_capped() {
        assert_eq!(release_delay(1).as_secs(), 1);
        assert_eq!(release_delay(4).as_secs(), 8);
        assert_eq!(release_delay(u32::MAX).as_secs(), 60);
        assert_eq!(reconnect_delay(1).as_millis(), 500);
        assert_eq!(reconnect_delay(u32::MAX).as_secs(), 30);
    }
}
