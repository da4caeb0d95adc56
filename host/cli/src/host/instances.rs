//! How many instances of guests the machine may hold.

use std::fs;

/// What an instance of a guest without limits of its own may use.
const INSTANCE_BYTES: u64 = 64 << 20;

/// A host with little memory still serves that many calls at the same time: few guests use all that they may.
const LEAST: u64 = 64;
const MOST: u64 = 1_000;

/// The default of `--max-instances`: one for each 64 MiB of memory, between 64 and 1,000.
pub fn default_max() -> u32 {
    let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let limits = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let limits = limits.map(|file| fs::read_to_string(file).unwrap_or_default());
    in_memory(&machine, &limits)
}

/// Of `/proc/meminfo`, and of a container's limits: bytes, or `max`.
fn in_memory(meminfo: &str, limits: &[String]) -> u32 {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let machine = kib.map(|kib| kib.saturating_mul(1024));
    let limits = limits.iter().filter_map(|limit| limit.trim().parse().ok());
    let least = limits.chain(machine).min();
    let fit = least.map_or(MOST, |bytes: u64| bytes / INSTANCE_BYTES);
    u32::try_from(fit.clamp(LEAST, MOST)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB_16: &str = "MemTotal:       16777216 kB\nMemFree:        1000 kB\n";

    #[test]
    fn memory_bounds_the_instances() {
        assert_eq!(in_memory(GIB_16, &[]), 256);
        assert_eq!(in_memory("MemTotal: 1048576 kB", &[]), 64);
        assert_eq!(in_memory("MemTotal: 268435456 kB", &[]), 1_000);
        assert_eq!(in_memory("", &[]), 1_000);
    }

    #[test]
    fn the_least_limit_of_a_container_counts() {
        let limits = ["8589934592\n".to_owned(), "max\n".to_owned()];
        assert_eq!(in_memory(GIB_16, &limits), 128);
        let none = ["9223372036854771712\n".to_owned()];
        assert_eq!(in_memory(GIB_16, &none), 256);
    }
}
