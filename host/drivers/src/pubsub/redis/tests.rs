//! Against private servers.

mod faults;
mod groups;
mod wire;

use super::*;
use crate::scratch::{context, metadata, try_metadata};
use berth_blocks::{
    conformance::{
        Subject, eventually,
        pubsub::{one, some as receive, text},
    },
    pubsub::{Attempt, InboundMessage},
};
use berth_servers::{Redis as TestServer, RedisCluster, RedisOptions};
use bytes::Bytes;
use redis::{Value, aio::MultiplexedConnection};
use std::sync::Arc;

const PATIENCE: Duration = Duration::from_secs(20);

type Entries = Vec<(&'static str, String)>;

async fn open_for_test() -> Subject<dyn PubSub> {
    let server = TestServer::start(RedisOptions::new()).await;
    subject(at(&server)).await.keeping(server)
}

berth_blocks::pubsub_conformance!(conformance: open_for_test);

async fn open_cluster() -> Subject<dyn PubSub> {
    let cluster = RedisCluster::start(RedisOptions::new()).await;
    let entries = vec![
        ("redisHost", cluster.addresses()),
        ("redisType", "cluster".to_owned()),
    ];
    subject(entries).await.keeping(cluster)
}

berth_blocks::pubsub_conformance!(cluster: open_cluster);

/// Leases of a second.
async fn subject(mut entries: Entries) -> Subject<dyn PubSub> {
    entries.push(("processingTimeout", "1s".to_owned()));
    let reopen = move || {
        let entries = entries.clone();
        async move {
            let pubsub: Arc<dyn PubSub> = Arc::new(open_at(&entries).await);
            pubsub
        }
    };
    Subject::new(reopen().await).reopened_by(reopen)
}

fn at(server: &TestServer) -> Entries {
    vec![("redisHost", server.address())]
}

/// A host of its own.
async fn open_at(entries: &[(&str, String)]) -> RedisPubSub {
    try_open(entries).await.unwrap()
}

async fn try_open(entries: &[(&str, String)]) -> Result<RedisPubSub, OpenError> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    open(context("/nowhere".as_ref()), try_metadata(&entries)?).await
}

/// A host of its own, with further metadata.
async fn host(server: &TestServer, more: &[(&'static str, &str)]) -> RedisPubSub {
    let more = more
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let entries: Entries = at(server).into_iter().chain(more).collect();
    open_at(&entries).await
}

fn message(data: &str) -> OutboundMessage {
    OutboundMessage {
        topic: "orders".to_owned(),
        data: Bytes::copy_from_slice(data.as_bytes()),
        content_type: "application/cloudevents+json".to_owned(),
        ttl: None,
        partition_key: None,
        metadata: Vec::new(),
        retain: None,
    }
}

async fn publish_all(pubsub: &RedisPubSub, count: usize) -> Vec<String> {
    let names: Vec<_> = (0..count).map(|number| format!("m-{number}")).collect();
    let messages = names.iter().map(|name| message(name)).collect();
    let answers = pubsub.bulk_publish(messages).await;
    assert_eq!(answers, vec![Ok(()); count]);
    names
}

fn request(prefetch: usize) -> SubscribeRequest {
    SubscribeRequest {
        topic: "orders".to_owned(),
        group: "app".to_owned(),
        prefetch,
        metadata: Vec::new(),
    }
}

async fn join(pubsub: &RedisPubSub) -> Box<dyn Consumer> {
    pubsub.subscribe(request(100)).await.unwrap()
}

async fn some(consumer: &mut dyn Consumer, count: usize) -> Vec<InboundMessage> {
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.extend(receive(consumer, count - messages.len()).await);
    }
    messages
}

/// Somebody who is not berth.
struct Outside(MultiplexedConnection);

impl Outside {
    async fn of(server: &TestServer) -> Self {
        let client = redis::Client::open(format!("redis://{}", server.address())).unwrap();
        Self(client.get_multiplexed_async_connection().await.unwrap())
    }

    async fn ask(&self, command: &[&str]) -> Value {
        let mut asked = redis::cmd(command[0]);
        asked.arg(&command[1..]);
        self.0.clone().send_packed_command(&asked).await.unwrap()
    }

    async fn number(&self, command: &[&str]) -> i64 {
        redis::from_redis_value(self.ask(command).await).unwrap()
    }

    /// Names of a group's consumers with what is pending for each.
    async fn consumers(&self) -> Vec<(String, u64)> {
        let answer = self.ask(&["XINFO", "CONSUMERS", "orders", "app"]).await;
        let consumers: Vec<std::collections::HashMap<String, Value>> =
            redis::from_redis_value(answer).unwrap();
        let field = |fields: &std::collections::HashMap<String, Value>, name: &str| {
            redis::from_redis_value::<String>(fields[name].clone()).unwrap()
        };
        let consumer = |fields| {
            let pending = field(&fields, "pending").parse().unwrap();
            (field(&fields, "name"), pending)
        };
        consumers.into_iter().map(consumer).collect()
    }

    /// None but such as held messages back; those go with the next look.
    async fn no_consumer_is_left(&self) {
        eventually("all consumers have left", async || {
            let consumers = self.consumers().await;
            let mut consumers = consumers.iter();
            consumers.all(|(name, pending)| name.starts_with("berth-wait-") && *pending == 0)
        })
        .await;
    }
}

#[test]
fn metadata_has_daprs_defaults_and_units() {
    let read = |entries: &[(&str, &str)]| {
        let entries = [("redisHost", "localhost")].iter().chain(entries);
        metadata::<RedisMetadata>(&entries.copied().collect::<Vec<_>>())
    };
    let times = |entries| {
        let redelivery = read(entries).terms().redelivery?;
        Some((
            redelivery.processing_timeout.as_millis(),
            redelivery.every.as_millis(),
        ))
    };
    assert_eq!(times(&[]), Some((15_000, 3_750)));
    assert_eq!(
        times(&[("processingTimeout", "8000")]),
        Some((8_000, 2_000))
    );
    assert_eq!(
        times(&[("redeliverInterval", "100ms")]),
        Some((15_000, 100))
    );
    assert_eq!(times(&[("processingTimeout", "0")]), None);
    assert_eq!(times(&[("redeliverInterval", "0")]), None);
    assert_eq!(read(&[]).terms().batch, 100);
    assert_eq!(read(&[("queueDepth", "7")]).terms().batch, 7);
    assert_eq!(read(&[]).trim().unwrap(), None);
    let trim = read(&[("maxLenApprox", "10"), ("streamTTL", "1h")]).trim();
    assert_eq!(
        trim.unwrap_err().to_string(),
        "metadata `streamTTL`: cannot be combined with `maxLenApprox`: Redis trims by one of them"
    );
    let unknown = try_metadata::<RedisMetadata>(&[("redisHost", "a"), ("queueDepht", "1")]);
    let unknown = unknown.unwrap_err().to_string();
    assert!(
        unknown.starts_with("metadata `queueDepht`: unknown"),
        "{unknown}"
    );
}
