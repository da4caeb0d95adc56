//! Against librdkafka's mock cluster, private to each test; [`broker`] against any broker.

mod faults;
mod groups;
mod inbox;
mod topics;
mod wire;

use super::*;
use crate::scratch::{Scratch, context, metadata, try_metadata};
use berth_blocks::{
    conformance::{PATIENCE, Subject, eventually},
    pubsub::{Attempt, InboundMessage},
};
use berth_servers::MockKafka;
use bytes::Bytes;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};
use std::time::Duration;

/// Sessions that end soon, so that the mock deals partitions out soon.
const QUICK: [(&str, &str); 3] = [
    ("sessionTimeout", "2s"),
    ("heartbeatInterval", "200ms"),
    ("consumeRetryInterval", "0"),
];

async fn open_at(brokers: &str, more: &[(&str, &str)]) -> KafkaPubSub {
    try_open_at(brokers, more).await.unwrap()
}

async fn try_open_at(brokers: &str, more: &[(&str, &str)]) -> Result<KafkaPubSub, OpenError> {
    let mut entries = vec![("brokers", brokers)];
    entries.extend(
        QUICK
            .iter()
            .filter(|(name, _)| !more.iter().any(|(own, _)| own == name)),
    );
    entries.extend(more);
    open(context("/nowhere".as_ref()), metadata(&entries)).await
}

async fn open_for_test() -> Subject<dyn PubSub> {
    let kafka = MockKafka::start(1);
    let brokers = kafka.brokers();
    let reopen = move || {
        let brokers = brokers.clone();
        async move {
            let pubsub: Arc<dyn PubSub> = Arc::new(open_at(&brokers, &[]).await);
            pubsub
        }
    };
    Subject::new(reopen().await)
        .keeping(kafka)
        .reopened_by(reopen)
}

berth_blocks::pubsub_conformance!(mock: open_for_test);

/// A broker of the user's, whose topics and groups get names of their own for each test.
async fn open_broker() -> Subject<dyn PubSub> {
    let brokers =
        std::env::var("BERTH_TEST_KAFKA").expect("BERTH_TEST_KAFKA=host:port of a broker");
    let prefix = format!("berth-{}-", uuid::Uuid::new_v4());
    let reopen = move || {
        let (brokers, prefix) = (brokers.clone(), prefix.clone());
        async move {
            let quick = [("sessionTimeout", "6s"), ("heartbeatInterval", "500ms")];
            let own = Prefixed {
                inner: open_at(&brokers, &quick).await,
                prefix,
            };
            let pubsub: Arc<dyn PubSub> = Arc::new(own);
            pubsub
        }
    };
    Subject::new(reopen().await).reopened_by(reopen)
}

berth_blocks::pubsub_conformance!(
    #[ignore = "takes a broker: BERTH_TEST_KAFKA=host:port"]
    broker: open_broker
);

/// Keeps the topics and groups of one test apart from all others on a broker.
struct Prefixed {
    inner: KafkaPubSub,
    prefix: String,
}

impl Prefixed {
    fn own(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

#[async_trait]
impl PubSub for Prefixed {
    fn capabilities(&self) -> PubSubCapabilities {
        self.inner.capabilities()
    }

    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        // Refusals name the topic.
        record::check_topic(&message.topic)?;
        let topic = self.own(&message.topic);
        self.inner
            .publish(OutboundMessage { topic, ..message })
            .await
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        record::check_topic(&request.topic)?;
        let (topic, group) = (self.own(&request.topic), self.own(&request.group));
        let request = SubscribeRequest {
            topic,
            group,
            ..request
        };
        self.inner.subscribe(request).await
    }

    async fn browse(
        &self,
        topic: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError> {
        self.inner.browse(&self.own(topic), after, limit).await
    }

    async fn remove(&self, topic: &str, id: &str) -> Result<bool, PubSubError> {
        self.inner.remove(&self.own(topic), id).await
    }

    async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError> {
        let stripped = |name: &str| name.strip_prefix(&self.prefix).map(str::to_owned);
        let depths = self.inner.depths().await?.into_iter();
        let own = depths.filter_map(|depth| {
            Some(TopicDepth {
                topic: stripped(&depth.topic)?,
                group: depth.group.as_deref().and_then(stripped),
                ..depth
            })
        });
        Ok(own.collect())
    }

    async fn ping(&self) -> Result<(), PubSubError> {
        self.inner.ping().await
    }
}

fn message(topic: &str, data: &str) -> OutboundMessage {
    OutboundMessage {
        topic: topic.to_owned(),
        data: Bytes::copy_from_slice(data.as_bytes()),
        content_type: "text/plain".to_owned(),
        ttl: None,
        partition_key: None,
        metadata: Vec::new(),
        retain: None,
    }
}

fn keyed(topic: &str, key: &str, data: &str) -> OutboundMessage {
    OutboundMessage {
        partition_key: Some(key.to_owned()),
        ..message(topic, data)
    }
}

async fn publish(pubsub: &KafkaPubSub, message: OutboundMessage) {
    pubsub.publish(message).await.unwrap();
}

async fn join(pubsub: &KafkaPubSub, topic: &str, group: &str) -> Box<dyn Consumer> {
    let request = SubscribeRequest {
        topic: topic.to_owned(),
        group: group.to_owned(),
        prefetch: 100,
        metadata: Vec::new(),
    };
    pubsub.subscribe(request).await.unwrap()
}

async fn one(consumer: &mut dyn Consumer) -> InboundMessage {
    let received = tokio::time::timeout(PATIENCE, consumer.receive(1)).await;
    received.expect("a message comes").unwrap().remove(0)
}

async fn acknowledge(message: InboundMessage) {
    message.lease.acknowledge().await.unwrap();
}

fn text(message: &InboundMessage) -> String {
    String::from_utf8_lossy(&message.data).into_owned()
}

/// Nothing comes for a while.
async fn silent(consumer: &mut dyn Consumer) {
    let moment = Duration::from_millis(400);
    let received = tokio::time::timeout(moment, consumer.receive(1)).await;
    assert!(
        received.is_err(),
        "a message that must not come: {received:?}"
    );
}

/// A client that is not ours.
fn bare(brokers: &str, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap()
}

/// What a group has committed of the partitions of a topic, as another client sees it.
fn committed(brokers: &str, group: &str, topic: &str, partitions: i32) -> Vec<Option<i64>> {
    let kafka = bare(brokers, group);
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    let list = kafka.committed_offsets(list, PATIENCE).unwrap();
    let elements = list.elements();
    let offsets = elements.iter().map(|own| match own.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    });
    offsets.collect()
}

/// [`committed`], off the test's own thread.
async fn committed_of(
    kafka: &MockKafka,
    group: &str,
    topic: &str,
    partitions: i32,
) -> Vec<Option<i64>> {
    let (brokers, group, topic) = (kafka.brokers(), group.to_owned(), topic.to_owned());
    let asking = move || committed(&brokers, &group, &topic, partitions);
    tokio::task::spawn_blocking(asking).await.unwrap()
}
