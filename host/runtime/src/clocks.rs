//! The clocks of ordinary instances: the host's.

use berth_blocks::clock;
use std::{
    sync::OnceLock,
    time::{Duration, Instant, UNIX_EPOCH},
};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// Both clocks.
pub(crate) struct HostClock;

impl HostWallClock for HostClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        clock::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

impl HostMonotonicClock for HostClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        let since = clock::instant().saturating_duration_since(*START.get_or_init(clock::instant));
        // Never 0, even where time stands still: the runtime of Go takes that for a broken clock and does not start.
        u64::try_from(since.as_nanos())
            .unwrap_or(u64::MAX)
            .saturating_add(1)
    }
}
