//! The same stories on different stores give the same histories, to the byte.

use crate::{
    disk::Disk,
    run::{Options, simulate_on},
};
use berth_servers::{Postgres, Redis, RedisOptions};
use tokio::runtime::Runtime;

/// Stories told twice.
const SEEDS: u64 = 60;
/// Stories told on servers, where each call takes longer.
const SEEDS_ON_SERVERS: u64 = 16;

/// A story in memory, and once more on another store.
fn same_as_memory(seed: u64, other: Disk) {
    let memory = simulate_on(seed, Options::FAULTY, Disk::default());
    let other = simulate_on(seed, Options::FAULTY, other);
    assert_eq!(other.violations, [""; 0], "seed {seed}");
    assert!(!memory.histories.is_empty());
    for (expected, found) in memory.histories.iter().zip(&other.histories) {
        assert_eq!(expected, found, "seed {seed}");
    }
    assert_eq!(memory.histories.len(), other.histories.len(), "seed {seed}");
}

/// Drives connections, while the story has a clock and a thread of its own.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn sqlite_gives_the_histories_that_memory_gives() {
    for seed in 0..SEEDS {
        same_as_memory(seed, Disk::sqlite());
    }
}

#[test]
fn postgresql_gives_the_histories_that_memory_gives() {
    let runtime = runtime();
    let database = runtime.block_on(Postgres::shared());
    let url = database.url();
    for seed in 0..SEEDS_ON_SERVERS {
        // Tables of its own: the story begins with nothing.
        let prefix = format!("seed{seed}_");
        let entries = [
            ("connectionString", url.as_str()),
            ("tablePrefix", prefix.as_str()),
            ("cleanupInterval", "0"),
        ];
        let namespace = "default".parse().unwrap();
        let disk = runtime.block_on(Disk::open("state.postgresql", namespace, &entries));
        let _inside = runtime.enter();
        same_as_memory(seed, disk);
    }
}

#[test]
fn redis_gives_the_histories_that_memory_gives() {
    let runtime = runtime();
    let server = runtime.block_on(Redis::start(RedisOptions::new()));
    let address = server.address();
    for seed in 0..SEEDS_ON_SERVERS {
        // Keys of its own: the story begins with nothing.
        let namespace = format!("seed{seed}").parse().unwrap();
        let entries = [("redisHost", address.as_str())];
        let disk = runtime.block_on(Disk::open("state.redis", namespace, &entries));
        let _inside = runtime.enter();
        same_as_memory(seed, disk);
    }
}
