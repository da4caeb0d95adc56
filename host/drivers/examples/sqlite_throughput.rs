//! What group commit is worth: `state.sqlite` writes and `pubsub.sqlite` messages per second, at 1 and 64 callers,
//! beside bare rusqlite with one fsync per write on the same disk.
//!
//! `cargo run --release -p berth-drivers --example sqlite_throughput [DIRECTORY]`
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use berth_blocks::{
    pubsub::{Consumer, OutboundMessage, PubSub, SubscribeRequest},
    registry::{Connections, Metadata, OpenContext, Opened},
    state::{GetOptions, Precondition, SetRequest, StateStore},
};
use bytes::Bytes;
use futures::future::join_all;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

const TIME: Duration = Duration::from_secs(3);
const VALUE: &[u8] = &[b'x'; 200];

fn main() {
    let base = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(base).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    println!(
        "values and messages of {} bytes, synchronous=FULL\n",
        VALUE.len()
    );
    let bare = bare_writes(&folder.path().join("bare.db"));
    report("bare rusqlite, 1 connection", bare, bare);
    for writers in [1, 8, 64] {
        let rate = runtime.block_on(state_writes(folder.path(), writers));
        report(&format!("state.sqlite set, {writers} writers"), rate, bare);
    }
    for readers in [1, 64] {
        let rate = runtime.block_on(state_reads(folder.path(), readers));
        report(&format!("state.sqlite get, {readers} readers"), rate, bare);
    }
    for publishers in [1, 64] {
        let rate = runtime.block_on(publishes(folder.path(), publishers));
        report(
            &format!("pubsub.sqlite publish, {publishers} publishers"),
            rate,
            bare,
        );
    }
    for publishers in [1, 64] {
        let rate = runtime.block_on(messages(folder.path(), publishers));
        report(
            &format!("pubsub.sqlite publish, receive, ack, {publishers} publishers"),
            rate,
            bare,
        );
    }
    let rate = runtime.block_on(round_trips(folder.path()));
    report("pubsub.sqlite one message after the other", rate, bare);
}

fn report(what: &str, per_second: f64, bare: f64) {
    println!(
        "{what:58} {per_second:9.0}/s  {:6.2} x bare",
        per_second / bare
    );
}

/// Calls `work` from `callers` tasks for a while; calls per second.
async fn rate<F: Future<Output = ()> + Send + 'static>(
    callers: usize,
    work: impl Fn(usize, u64) -> F + Send + Sync + 'static,
) -> f64 {
    let work = Arc::new(work);
    let begun = Instant::now();
    let tasks = (0..callers).map(|caller| {
        let work = work.clone();
        tokio::spawn(async move {
            let mut calls = 0;
            while begun.elapsed() < TIME {
                work(caller, calls).await;
                calls += 1;
            }
            calls
        })
    });
    let calls: u64 = join_all(tasks)
        .await
        .into_iter()
        .map(|calls| calls.unwrap())
        .sum();
    calls as f64 / begun.elapsed().as_secs_f64()
}

fn bare_writes(path: &Path) -> f64 {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .unwrap();
    connection
        .pragma_update(None, "synchronous", "FULL")
        .unwrap();
    connection
        .execute_batch("CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB)")
        .unwrap();
    let begun = Instant::now();
    let mut writes = 0;
    while begun.elapsed() < TIME {
        connection
            .prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2)")
            .unwrap()
            .execute((format!("app||key-{}", writes % 1_000), VALUE))
            .unwrap();
        writes += 1;
    }
    f64::from(writes) / begun.elapsed().as_secs_f64()
}

async fn open(folder: &Path, kind: &str) -> Opened {
    let registry = berth_drivers::registry();
    let context = OpenContext {
        name: "bench".to_owned(),
        namespace: "default".parse().unwrap(),
        data_dir: folder.to_owned(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let driver = registry.driver(kind).unwrap();
    (driver.open)(context, Metadata::new()).await.unwrap()
}

async fn open_state(folder: &Path) -> Arc<dyn StateStore> {
    open(folder, "state.sqlite").await.state.unwrap()
}

async fn open_pubsub(folder: &Path) -> Arc<dyn PubSub> {
    open(folder, "pubsub.sqlite").await.pubsub.unwrap()
}

async fn state_writes(folder: &Path, writers: usize) -> f64 {
    let store = open_state(folder).await;
    rate(writers, move |writer, call| {
        let store = store.clone();
        async move {
            let request = SetRequest {
                key: format!("app-{writer}||key-{}", call % 1_000),
                value: Bytes::from_static(VALUE),
                precondition: Precondition::None,
                consistency: None,
                ttl: None,
                content_type: None,
                metadata: Vec::new(),
            };
            store.set(request).await.unwrap();
        }
    })
    .await
}

async fn state_reads(folder: &Path, readers: usize) -> f64 {
    let store = open_state(folder).await;
    rate(readers, move |reader, call| {
        let store = store.clone();
        async move {
            let key = format!("app-{reader}||key-{}", call % 100);
            store.get(&key, &GetOptions::default()).await.unwrap();
        }
    })
    .await
}

fn message(topic: &str) -> OutboundMessage {
    OutboundMessage {
        topic: topic.to_owned(),
        data: Bytes::from_static(VALUE),
        content_type: "application/cloudevents+json".to_owned(),
        ttl: None,
        partition_key: None,
        metadata: Vec::new(),
        retain: None,
    }
}

async fn publishes(folder: &Path, publishers: usize) -> f64 {
    let pubsub = open_pubsub(folder).await;
    rate(publishers, move |_, _| {
        let pubsub = pubsub.clone();
        async move { pubsub.publish(message("unread")).await.unwrap() }
    })
    .await
}

async fn join(pubsub: &Arc<dyn PubSub>, topic: &str) -> Box<dyn Consumer> {
    let request = SubscribeRequest {
        topic: topic.to_owned(),
        group: "app".to_owned(),
        prefetch: 256,
        metadata: Vec::new(),
    };
    pubsub.subscribe(request).await.unwrap()
}

/// Publishers and one consumer at the same time; counted are acknowledged messages.
async fn messages(folder: &Path, publishers: usize) -> f64 {
    let pubsub = open_pubsub(folder).await;
    let topic = format!("read-{publishers}");
    let mut consumer = join(&pubsub, &topic).await;
    let publishing = {
        let (pubsub, topic) = (pubsub.clone(), topic.clone());
        tokio::spawn(rate(publishers, move |_, _| {
            let (pubsub, message) = (pubsub.clone(), message(&topic));
            async move { pubsub.publish(message).await.unwrap() }
        }))
    };
    let begun = Instant::now();
    let mut acknowledged = 0;
    let mut answering = tokio::task::JoinSet::new();
    while begun.elapsed() < TIME {
        let received =
            tokio::time::timeout(Duration::from_millis(100), consumer.receive(256)).await;
        for message in received.into_iter().flatten().flatten() {
            answering.spawn(message.lease.acknowledge());
        }
        while let Some(answer) = answering.try_join_next() {
            answer.unwrap().unwrap();
            acknowledged += 1;
        }
    }
    let rate = f64::from(acknowledged) / begun.elapsed().as_secs_f64();
    let published = publishing.await.unwrap();
    println!("  (published meanwhile: {published:.0}/s)");
    rate
}

/// Publish, receive, acknowledge, and only then the next.
async fn round_trips(folder: &Path) -> f64 {
    let pubsub = open_pubsub(folder).await;
    let mut consumer = join(&pubsub, "alone").await;
    let begun = Instant::now();
    let mut trips = 0;
    while begun.elapsed() < TIME {
        pubsub.publish(message("alone")).await.unwrap();
        for message in consumer.receive(1).await.unwrap() {
            message.lease.acknowledge().await.unwrap();
        }
        trips += 1;
    }
    f64::from(trips) / begun.elapsed().as_secs_f64()
}
