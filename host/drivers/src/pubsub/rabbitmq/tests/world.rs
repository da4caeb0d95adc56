//! A broker for tests, and short names for what tests do.

use super::super::*;
use crate::scratch::metadata;
use berth_blocks::pubsub::InboundMessage;
use berth_servers::{RabbitMq, Shared};
use bytes::Bytes;

/// How long something that must come may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A name that no other test uses.
pub(super) fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

pub(super) async fn open_with(entries: &[(&str, &str)]) -> RabbitPubSub {
    let metadata = metadata(entries);
    open(&metadata).await.unwrap()
}

/// An open backend and a topic that is only its own.
pub(super) struct World {
    pub(super) pubsub: RabbitPubSub,
    pub(super) topic: String,
    pub(super) shared: Shared<RabbitMq>,
    entries: Vec<(String, String)>,
}

impl World {
    pub(super) async fn with(entries: &[(&str, &str)]) -> Self {
        let shared = RabbitMq::shared().await;
        let mut all = vec![("connectionString", shared.address.as_str())];
        all.extend(entries);
        Self {
            pubsub: open_with(&all).await,
            topic: unique(),
            entries: all
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            shared,
        }
    }

    /// A second backend on the same broker: another host.
    pub(super) async fn another(&self) -> RabbitPubSub {
        let entries = self.entries.iter();
        let entries: Vec<_> = entries
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        open_with(&entries).await
    }

    pub(super) async fn publish(&self, data: &str) {
        self.pubsub
            .publish(message(&self.topic, data))
            .await
            .unwrap();
    }

    pub(super) async fn join_with(&self, group: &str, prefetch: usize) -> Box<dyn Consumer> {
        join(&self.pubsub, &self.topic, group, prefetch).await
    }
}

pub(super) async fn join(
    pubsub: &RabbitPubSub,
    topic: &str,
    group: &str,
    prefetch: usize,
) -> Box<dyn Consumer> {
    let request = SubscribeRequest {
        topic: topic.to_owned(),
        group: group.to_owned(),
        prefetch,
        metadata: Vec::new(),
    };
    pubsub.subscribe(request).await.unwrap()
}

pub(super) fn message(topic: &str, data: &str) -> OutboundMessage {
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

pub(super) async fn some(consumer: &mut dyn Consumer, max: usize) -> Vec<InboundMessage> {
    let received = tokio::time::timeout(PATIENCE, consumer.receive(max)).await;
    received.expect("a message comes").unwrap()
}

pub(super) async fn one(consumer: &mut dyn Consumer) -> InboundMessage {
    some(consumer, 1).await.remove(0)
}

pub(super) async fn is_silent(consumer: &mut dyn Consumer) -> bool {
    let moment = Duration::from_millis(300);
    tokio::time::timeout(moment, consumer.receive(1))
        .await
        .is_err()
}

pub(super) fn text(message: &InboundMessage) -> String {
    String::from_utf8_lossy(&message.data).into_owned()
}

pub(super) async fn acknowledge(message: InboundMessage) {
    message.lease.acknowledge().await.unwrap();
}

/// Threads of this process that drive a connection; each test is a process of its own.
pub(super) fn client_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("lapin-io")).count()
}

/// A backend whose topics no other test sees, on a broker that all share.
pub(super) struct OwnTopics {
    pub(super) inner: RabbitPubSub,
    pub(super) prefix: String,
}

impl OwnTopics {
    fn own(&self, topic: &str) -> String {
        format!("{}-{topic}", self.prefix)
    }
}

#[async_trait]
impl PubSub for OwnTopics {
    fn capabilities(&self) -> PubSubCapabilities {
        self.inner.capabilities()
    }

    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        let topic = self.own(&message.topic);
        self.inner
            .publish(OutboundMessage { topic, ..message })
            .await
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        let topic = self.own(&request.topic);
        self.inner
            .subscribe(SubscribeRequest { topic, ..request })
            .await
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
        self.inner.depths().await
    }

    async fn ping(&self) -> Result<(), PubSubError> {
        self.inner.ping().await
    }
}
