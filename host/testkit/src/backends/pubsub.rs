//! A broker in front of which something may go wrong, and whose messages are noted.

use crate::{
    journal::PublishedMessage,
    probe::{Asked, SharedProbe},
    site::Work,
};
use async_trait::async_trait;
use berth_blocks::pubsub::{
    Consumer, OutboundMessage, PubSub, PubSubCapabilities, PubSubError, StoredMessage,
    SubscribeRequest, TopicDepth,
};
use bytes::Bytes;
use std::sync::Arc;

pub(super) struct WatchedPubSub {
    pub(super) name: String,
    pub(super) inner: Arc<dyn PubSub>,
    pub(super) probe: SharedProbe,
}

impl WatchedPubSub {
    /// What the scenario itself publishes is not news to it.
    fn taken(&self, topic: &str, wire: Bytes) {
        let site = self.probe.sites.current(None);
        if site.is_some_and(|site| site.work == Work::Scenario) {
            return;
        }
        let message = PublishedMessage {
            pubsub: self.name.clone(),
            topic: topic.to_owned(),
            wire,
        };
        self.probe
            .journal
            .note(|records| records.published.push(message));
    }

    async fn call<T>(
        &self,
        operation: &'static str,
        topic: &str,
        work: impl Future<Output = Result<T, PubSubError>>,
    ) -> Result<T, PubSubError> {
        let asked = Asked {
            operation,
            of: &self.name,
            key: topic,
            caller: None,
        };
        self.probe.call(asked, work).await
    }
}

#[async_trait]
impl PubSub for WatchedPubSub {
    fn capabilities(&self) -> PubSubCapabilities {
        self.inner.capabilities()
    }

    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        let topic = message.topic.clone();
        let work = async {
            let wire = message.data.clone();
            self.inner.publish(message).await?;
            self.taken(&topic, wire);
            Ok(())
        };
        self.call("pubsub.publish", &topic, work).await
    }

    async fn bulk_publish(&self, messages: Vec<OutboundMessage>) -> Vec<Result<(), PubSubError>> {
        let count = messages.len();
        let topic = messages.first().map(|message| message.topic.clone());
        let topic = topic.unwrap_or_default();
        let work = async {
            let wires: Vec<_> = messages.iter().map(|own| own.data.clone()).collect();
            let answers = self.inner.bulk_publish(messages).await;
            for (answer, wire) in answers.iter().zip(wires) {
                if answer.is_ok() {
                    self.taken(&topic, wire);
                }
            }
            Ok(answers)
        };
        let done = self.call("pubsub.bulk_publish", &topic, work).await;
        done.unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        self.inner.subscribe(request).await
    }

    async fn browse(
        &self,
        topic: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError> {
        self.inner.browse(topic, after, limit).await
    }

    async fn remove(&self, topic: &str, id: &str) -> Result<bool, PubSubError> {
        self.inner.remove(topic, id).await
    }

    async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError> {
        self.inner.depths().await
    }

    async fn ping(&self) -> Result<(), PubSubError> {
        self.inner.ping().await
    }
}
