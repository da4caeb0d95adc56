//! What `state.redis` costs beside the bare client: gets and sets per second at 16 and 128 callers, on one connection
//! each, against one private server. Rounds alternate, and the best of each counts.
//!
//! `cargo run --release -p berth-drivers --example redis_state_throughput`
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use berth_blocks::{
    registry::{Connections, Metadata, OpenContext},
    state::{GetOptions, Precondition, SetRequest, StateStore},
};
use berth_servers::{Redis, RedisOptions};
use bytes::Bytes;
use futures::future::join_all;
use redis::{aio::MultiplexedConnection, cmd};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const TIME: Duration = Duration::from_secs(2);
const ROUNDS: usize = 4;
const VALUE: &[u8] = &[b'x'; 200];
/// What a write has to do at least, as Dapr does it: look at the version and the marker, write, count.
const BARE_WRITE: &str = "redis.pcall('HGET', KEYS[1], 'version') \
                          redis.pcall('HGET', KEYS[1], 'first-write') \
                          redis.call('HSET', KEYS[1], 'data', ARGV[1]) \
                          return redis.call('HINCRBY', KEYS[1], 'version', 1)";

#[tokio::main]
async fn main() {
    let server = Redis::start(RedisOptions::new()).await;
    let client = redis::Client::open(format!("redis://{}/", server.address())).unwrap();
    let bare = client.get_multiplexed_async_connection().await.unwrap();
    let store = open(&server).await;
    fill(&*store).await;
    for callers in [16, 128] {
        let (mut best_bare, mut best_own) = (0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            best_bare = best_bare.max(bare_gets(&bare, callers).await);
            best_own = best_own.max(own_gets(&store, callers).await);
        }
        report("get", callers, best_own, best_bare);
        let (mut best_bare, mut best_own) = (0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            best_bare = best_bare.max(bare_sets(&bare, callers).await);
            best_own = best_own.max(own_sets(&store, callers).await);
        }
        report("set", callers, best_own, best_bare);
    }
}

fn report(what: &str, callers: usize, own: f64, bare: f64) {
    println!(
        "{what} {callers:4} callers {own:9.0}/s, bare {bare:9.0}/s: {:.2}",
        own / bare
    );
}

async fn open(server: &Redis) -> Arc<dyn StateStore> {
    let registry = berth_drivers::registry();
    let context = OpenContext {
        name: "bench".to_owned(),
        namespace: "default".parse().unwrap(),
        data_dir: std::env::temp_dir(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let metadata = Metadata::from_iter([("redisHost".to_owned(), server.address().into())]);
    let driver = registry.driver("state.redis").unwrap();
    let opened = (driver.open)(context, metadata).await.unwrap();
    opened.state.unwrap()
}

fn key(number: u64) -> String {
    format!("app||key-{}", number % 1_000)
}

fn write(key: String) -> SetRequest {
    SetRequest {
        key,
        value: Bytes::from_static(VALUE),
        precondition: Precondition::None,
        consistency: None,
        ttl: None,
        content_type: None,
        metadata: Vec::new(),
    }
}

async fn fill(store: &dyn StateStore) {
    let writes = (0..1_000).map(|number| write(key(number)));
    let answers = store.bulk_set(writes.collect()).await;
    assert!(answers.iter().all(Result::is_ok));
}

/// Calls `work` from `callers` tasks for a while; calls per second.
async fn rate<F: Future<Output = ()> + Send + 'static>(
    callers: usize,
    work: impl Fn(u64) -> F,
) -> f64 {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| tokio::spawn(work(caller as u64 * 7)))
        .collect();
    join_all(tasks).await;
    begun.elapsed().as_secs_f64()
}

/// Runs `$call` with `$number` until the time is over, in every task; calls per second.
macro_rules! per_second {
    ($callers:ident, $keep:ident, $number:ident => $call:expr) => {{
        let counted = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let seconds = rate($callers, |first| {
            #[allow(unused_mut)]
            let (mut $keep, counted) = ($keep.clone(), counted.clone());
            async move {
                let (begun, mut calls) = (Instant::now(), 0);
                while begun.elapsed() < TIME {
                    let $number = first + calls;
                    $call;
                    calls += 1;
                }
                counted.fetch_add(calls, std::sync::atomic::Ordering::Relaxed);
            }
        })
        .await;
        counted.load(std::sync::atomic::Ordering::Relaxed) as f64 / seconds
    }};
}

async fn bare_gets(connection: &MultiplexedConnection, callers: usize) -> f64 {
    per_second!(callers, connection, number => {
        let (data, version): (Vec<u8>, String) = cmd("HMGET")
            .arg(key(number))
            .arg("data")
            .arg("version")
            .query_async(&mut connection)
            .await
            .unwrap();
        assert!(data.len() == VALUE.len() && !version.is_empty());
    })
}

async fn own_gets(store: &Arc<dyn StateStore>, callers: usize) -> f64 {
    per_second!(callers, store, number => {
        let entry = store.get(&key(number), &GetOptions::default()).await;
        assert_eq!(entry.unwrap().unwrap().value.len(), VALUE.len());
    })
}

async fn bare_sets(connection: &MultiplexedConnection, callers: usize) -> f64 {
    let script = redis::Script::new(BARE_WRITE);
    let _: i64 = script
        .key(key(0))
        .arg(VALUE)
        .invoke_async(&mut connection.clone())
        .await
        .unwrap();
    let hash: Arc<str> = script.get_hash().into();
    let both = (connection.clone(), hash);
    per_second!(callers, both, number => {
        let version: i64 = cmd("EVALSHA")
            .arg(&*both.1)
            .arg(1)
            .arg(key(number))
            .arg(VALUE)
            .query_async(&mut both.0)
            .await
            .unwrap();
        assert!(version > 0);
    })
}

async fn own_sets(store: &Arc<dyn StateStore>, callers: usize) -> f64 {
    per_second!(callers, store, number => {
        store.set(write(key(number))).await.unwrap();
    })
}
