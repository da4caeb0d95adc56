//! `pubsub.redis` against the bare client crate: publishing, and consuming as the delivery side does.
//!
//! ```text
//! redis-server --port 7777 --save "" & cargo run --release -p berth-drivers --example redis_throughput 127.0.0.1:7777
//! ```
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use berth_blocks::{
    pubsub::{OutboundMessage, PubSub, SubscribeRequest},
    registry::{Connections, Metadata, OpenContext},
};
use bytes::Bytes;
use redis::{AsyncCommands, aio::MultiplexedConnection, streams::StreamReadOptions};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};

const MESSAGES: usize = 200_000;
const CONCURRENT: usize = 64;
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let address = std::env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:6379".to_owned());
    let client = redis::Client::open(format!("redis://{address}")).unwrap();
    let mut bare = client.get_multiplexed_async_connection().await.unwrap();
    let pubsub = open(&address).await;
    for _ in 0..ROUNDS {
        let _: () = bare.del(&["bare", "berth"]).await.unwrap();
        let (one, two) = (publish_bare(&bare).await, publish(&pubsub).await);
        report("publish", one, two);
        let (one, two) = (consume_bare(&client).await, consume(&pubsub).await);
        report("consume", one, two);
    }
}

fn report(what: &str, bare: Duration, berth: Duration) {
    let rate = |time: Duration| MESSAGES as f64 / time.as_secs_f64() / 1_000.0;
    let (bare, berth) = (rate(bare), rate(berth));
    println!(
        "{what}: bare {bare:.0} k/s, berth {berth:.0} k/s, ratio {:.2}",
        berth / bare
    );
}

async fn open(address: &str) -> Arc<dyn PubSub> {
    let context = OpenContext {
        name: "backend".to_owned(),
        namespace: "default".parse().unwrap(),
        data_dir: "/nowhere".into(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let mut metadata = Metadata::new();
    metadata.insert("redisHost".to_owned(), address.into());
    let registry = berth_drivers::registry();
    let driver = registry.driver("pubsub.redis").unwrap();
    let opened = (driver.open)(context, metadata).await.unwrap();
    opened.pubsub.unwrap()
}

fn event(number: usize) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{number}","source":"shop","type":"com.dapr.event.sent","data":{{"order":{number}}}}}"#
    )
}

/// Runs a call for every number, so many at a time.
async fn run<F: Future<Output = ()> + Send + 'static>(call: impl Fn(usize) -> F) -> Duration {
    let begun = Instant::now();
    let mut calls = JoinSet::new();
    for number in 0..MESSAGES {
        if calls.len() >= CONCURRENT {
            calls.join_next().await.unwrap().unwrap();
        }
        calls.spawn(call(number));
    }
    while calls.join_next().await.is_some() {}
    begun.elapsed()
}

async fn publish_bare(connection: &MultiplexedConnection) -> Duration {
    run(|number| {
        let mut connection = connection.clone();
        async move {
            let fields = [("data", event(number))];
            let _: String = connection.xadd("bare", "*", &fields).await.unwrap();
        }
    })
    .await
}

async fn publish(pubsub: &Arc<dyn PubSub>) -> Duration {
    run(|number| {
        let pubsub = pubsub.clone();
        async move {
            let message = OutboundMessage {
                topic: "berth".to_owned(),
                data: Bytes::from(event(number)),
                content_type: "application/cloudevents+json".to_owned(),
                ttl: None,
                partition_key: None,
                metadata: Vec::new(),
                retain: None,
            };
            pubsub.publish(message).await.unwrap();
        }
    })
    .await
}

/// Reads and acknowledges batch by batch.
async fn consume_bare(client: &redis::Client) -> Duration {
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let _: () = connection.xgroup_create("bare", "app", "0").await.unwrap();
    let options = StreamReadOptions::default();
    let options = options.group("app", "one").count(CONCURRENT).block(500);
    let (begun, mut done) = (Instant::now(), 0);
    while done < MESSAGES {
        let read = connection.xread_options(&["bare"], &[">"], &options).await;
        let reply: Option<redis::streams::StreamReadReply> = read.unwrap();
        for key in reply.unwrap().keys {
            let ids: Vec<_> = key.ids.iter().map(|entry| entry.id.as_str()).collect();
            let _: () = connection.xack("bare", "app", &ids).await.unwrap();
            done += ids.len();
        }
    }
    begun.elapsed()
}

/// A task per message that acknowledges it, so many at a time.
async fn consume(pubsub: &Arc<dyn PubSub>) -> Duration {
    let request = SubscribeRequest {
        topic: "berth".to_owned(),
        group: "app".to_owned(),
        prefetch: CONCURRENT,
        metadata: Vec::new(),
    };
    let mut consumer = pubsub.subscribe(request).await.unwrap();
    let slots = Arc::new(Semaphore::new(CONCURRENT));
    let (begun, mut done) = (Instant::now(), 0);
    while done < MESSAGES {
        let slot = slots.clone().acquire_owned().await.unwrap();
        let mut slot = Some(slot);
        for message in consumer
            .receive(slots.available_permits() + 1)
            .await
            .unwrap()
        {
            let slot = slot
                .take()
                .or_else(|| slots.clone().try_acquire_owned().ok());
            done += 1;
            tokio::spawn(async move {
                message.lease.acknowledge().await.unwrap();
                drop(slot);
            });
        }
    }
    let all = u32::try_from(CONCURRENT).unwrap();
    drop(slots.acquire_many(all).await.unwrap());
    begun.elapsed()
}
