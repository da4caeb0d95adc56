//! The loop around optimistic writes.

use crate::random;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Time after which a call gives up: enough to get past a crowd, and well before its own caller stops waiting.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bounds the loop whatever the clock says.
const ATTEMPTS_MAX: u64 = 1_000;
const PAUSE_GROWTH_MS: u64 = 2;
const PAUSE_MS_MAX: u64 = 40;

/// A bounded loop: read, change, write if nobody else wrote, otherwise once more.
///
/// It pauses before every attempt but the first, for a random and slowly growing time, so that many writers of one key do not
/// run into each other in step.
pub fn attempts() -> impl Iterator<Item = u64> {
    let begun = Instant::now();
    (0..ATTEMPTS_MAX)
        .take_while(move |_| begun.elapsed() < PATIENCE)
        .inspect(|attempt| {
            if *attempt > 0 {
                let limit_ms = pause_ms_limit(*attempt);
                thread::sleep(Duration::from_millis(random::number() % limit_ms));
            }
        })
}

fn pause_ms_limit(attempt: u64) -> u64 {
    (attempt * PAUSE_GROWTH_MS).clamp(1, PAUSE_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let limits = [1, 2, 10, 20, 21, ATTEMPTS_MAX].map(pause_ms_limit);
        assert_eq!(limits, [2, 4, 20, 40, 40, 40]);
    }
}
