//! The same stories on different stores give the same histories, to the byte.

use crate::{
    disk::Disk,
    run::{Options, simulate_on},
};

/// Stories told twice.
const SEEDS: u64 = 60;

#[test]
fn sqlite_gives_the_histories_that_memory_gives() {
    for seed in 0..SEEDS {
        let memory = simulate_on(seed, Options::FAULTY, Disk::default());
        let sqlite = simulate_on(seed, Options::FAULTY, Disk::sqlite());
        assert_eq!(sqlite.violations, [""; 0], "seed {seed}");
        assert!(!memory.histories.is_empty());
        for (expected, found) in memory.histories.iter().zip(&sqlite.histories) {
            assert_eq!(expected, found, "seed {seed}");
        }
        assert_eq!(
            memory.histories.len(),
            sqlite.histories.len(),
            "seed {seed}"
        );
    }
}
