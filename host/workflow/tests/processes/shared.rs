//! Stores that several hosts share: PostgreSQL and Redis.

use super::{HOST, PATIENCE, STEPS, WORKFLOWS, command, kill_again_and_again, lines};
use berth_servers::{Postgres, Process, Redis, RedisOptions};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// With tables of its own for each round.
fn on_postgresql(url: &str, round: usize) -> String {
    format!("state.postgresql connectionString={url} tablePrefix=round{round}_")
}

fn on_redis(address: &str) -> String {
    format!("state.redis redisHost={address} workflowDurability=always")
}

#[test]
fn a_host_on_postgresql_that_is_killed_again_and_again_loses_nothing() {
    let runtime = runtime();
    let database = runtime.block_on(Postgres::shared());
    let url = database.url();
    kill_again_and_again(|round| on_postgresql(&url, round));
}

#[test]
fn a_host_on_redis_that_is_killed_again_and_again_loses_nothing() {
    let runtime = runtime();
    // A server for each round, which ends with the next.
    let server = std::cell::RefCell::new(None);
    kill_again_and_again(|_| {
        let new = runtime.block_on(Redis::start(RedisOptions::new().durable()));
        let store = on_redis(&new.address());
        *server.borrow_mut() = Some(new);
        store
    });
}

#[test]
fn two_hosts_on_postgresql_take_over_from_each_other() {
    let runtime = runtime();
    let database = runtime.block_on(Postgres::shared());
    two_hosts(&on_postgresql(&database.url(), 0));
}

#[test]
fn two_hosts_on_redis_take_over_from_each_other() {
    let runtime = runtime();
    let server = runtime.block_on(Redis::start(RedisOptions::new().durable()));
    two_hosts(&on_redis(&server.address()));
}

fn start(folder: &Path, store: &str, name: &str) -> Process {
    let mut command = command("the_host_of_the_test", folder, store);
    command.env(HOST, folder);
    Process::start(&mut command, &folder.join(name)).unwrap()
}

/// Waits until the ledger has so many lines, or all steps.
fn until_grown(folder: &Path, count: usize, hosts: &[Process]) {
    let deadline = Instant::now() + PATIENCE;
    let all = usize::try_from(STEPS * WORKFLOWS).unwrap();
    while lines(folder).len() < count && different(folder) < all {
        let logs: Vec<_> = hosts.iter().map(Process::log).collect();
        assert!(
            Instant::now() < deadline,
            "the ledger has not grown to {count} lines:\n{}",
            logs.join("\n")
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn different(folder: &Path) -> usize {
    lines(folder).into_iter().collect::<BTreeSet<_>>().len()
}

/// One host after the other is killed, or stopped for longer than its lease and then let go on: what it was doing it
/// does, and stores nothing of it.
fn two_hosts(store: &str) {
    let folder = tempfile::tempdir().unwrap();
    let names = ["first", "second"];
    let mut hosts = names.map(|name| start(folder.path(), store, name));
    for round in 0..4 {
        let before = lines(folder.path()).len();
        until_grown(folder.path(), before + 25, &hosts);
        let place = round % 2;
        if round < 2 {
            hosts[place].kill();
            hosts[place] = start(folder.path(), store, names[place]);
        } else {
            hosts[place].freeze();
            // The other one goes on alone, which takes what this one owned.
            let before = lines(folder.path()).len();
            until_grown(folder.path(), before + 40, &hosts);
            hosts[place].thaw();
        }
    }
    let all = usize::try_from(STEPS * WORKFLOWS).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while different(folder.path()) < all {
        let logs: Vec<_> = hosts.iter().map(Process::log).collect();
        assert!(
            Instant::now() < deadline,
            "{} of {all} steps:\n{}",
            different(folder.path()),
            logs.join("\n")
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    // No step began before the one before it was stored, whoever did it.
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for (instance, step) in lines(folder.path()) {
        let next = last.get(&instance).map_or(0, |last| last + 1);
        assert!(step <= next, "{instance}: {step} before {next}");
        last.insert(instance, step.max(next.saturating_sub(1)));
    }
    // Both hosts see the end of every workflow.
    for host in &mut hosts {
        let deadline = Instant::now() + PATIENCE;
        while !host.log().contains("test result: ok") {
            assert!(Instant::now() < deadline, "{}", host.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        host.kill();
    }
}
