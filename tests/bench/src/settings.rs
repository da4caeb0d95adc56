//! How much is measured.

use std::{path::PathBuf, time::Duration};

/// Applies to every measurement of a run.
pub struct Settings {
    /// Length of one round under load.
    pub round: Duration,
    /// Rounds of each contender, which take turns.
    pub rounds: usize,
    /// Starts of a process that are timed.
    pub starts: usize,
    /// Calls of a loop inside a guest.
    pub calls: u32,
    /// Idle apps beside the first one.
    pub idle_apps: usize,
    /// The binary under test.
    pub berth: PathBuf,
}

impl Settings {
    pub fn new(seconds: u64, quick: bool, berth: PathBuf) -> Self {
        let full = Self {
            round: Duration::from_secs(seconds),
            rounds: 5,
            starts: 10,
            calls: 200_000,
            idle_apps: 200,
            berth,
        };
        if !quick {
            return full;
        }
        Self {
            round: full.round.min(Duration::from_secs(1)),
            rounds: 2,
            starts: 3,
            calls: 20_000,
            idle_apps: 40,
            ..full
        }
    }
}
