//! Against librdkafka's mock cluster, private to each test; [`broker`] against any broker.

mod faults;
mod groups;
mod inbox;
mod topics;
mod wire;

use super::*;
use crate::scratch::{Scratch, context, metadata, try_metadata};
use berth_blocks::{
    conformance::{
        PATIENCE, Subject, eventually,
        pubsub::{Part, acknowledge, join as join_with, keyed, message, one, text},
    },
    pubsub::Attempt,
};
use berth_servers::MockKafka;
use futures::future::BoxFuture;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::RDKafkaErrorCode as Code,
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
            let own = Part::new(open_at(&brokers, &quick).await, prefix);
            let pubsub: Arc<dyn PubSub> = Arc::new(own.preparing(creating(&brokers)));
            pubsub
        }
    };
    Subject::new(reopen().await).reopened_by(reopen)
}

/// Creates a topic that is not there, since the broker may not do so by itself.
fn creating(
    brokers: &str,
) -> impl Fn(String) -> BoxFuture<'static, ()> + Send + Sync + 'static + use<> {
    let mut config = ClientConfig::new();
    let admin: AdminClient<DefaultClientContext> =
        config.set("bootstrap.servers", brokers).create().unwrap();
    let admin = Arc::new(admin);
    move |topic| {
        let admin = admin.clone();
        Box::pin(async move {
            let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
            let created = admin.create_topics(&[new], &AdminOptions::new()).await;
            for answer in created.unwrap() {
                match answer {
                    Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                    Err((topic, code)) => panic!("creating topic {topic}: {code}"),
                }
            }
        })
    }
}

berth_blocks::pubsub_conformance!(
    #[ignore = "takes a broker: BERTH_TEST_KAFKA=host:port"]
    broker: open_broker
);

async fn publish(pubsub: &KafkaPubSub, message: OutboundMessage) {
    pubsub.publish(message).await.unwrap();
}

async fn join(pubsub: &KafkaPubSub, topic: &str, group: &str) -> Box<dyn Consumer> {
    join_with(pubsub, topic, group, 100).await
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
