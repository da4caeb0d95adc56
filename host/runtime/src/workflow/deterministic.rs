//! The WASI of a workflow: every toolchain's standard library imports all of it, and a replay must see the same. The
//! clock stands at the last thing that the workflow was given, randomness comes from the run's own seed, output is
//! muted while replaying, and there are no files, sockets or environment.

use berth_workflow::{Context, Random};
use rand::rand_core::TryRng;
use std::{convert::Infallible, time::Duration};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// The time that the workflow sees.
pub(crate) struct Clock(pub(crate) Context);

impl Clock {
    fn since_1970(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().0).unwrap_or(0))
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.since_1970()
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since_1970().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Randomness that a replay sees again.
pub(crate) struct Seeded(pub(crate) Random);

impl Seeded {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.0.bytes(N).try_into().unwrap_or([0; N])
    }

    /// For hash tables.
    pub(crate) fn seed(&mut self) -> u128 {
        u128::from_le_bytes(self.array())
    }
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.array()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.array()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0.bytes(bytes.len()));
        Ok(())
    }
}
