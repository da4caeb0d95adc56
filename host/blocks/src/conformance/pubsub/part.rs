//! A part of a broker that many tests share.

use crate::pubsub::{
    Consumer, OutboundMessage, PubSub, PubSubCapabilities, PubSubError, StoredMessage,
    SubscribeRequest, TopicDepth,
};
use async_trait::async_trait;

/// A broker of which a test sees the topics and groups of its own only: their names begin with a prefix.
pub struct Part<B> {
    /// The whole.
    pub broker: B,
    /// What no other test has.
    pub prefix: String,
}

impl<B> Part<B> {
    fn own(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

#[async_trait]
impl<B: PubSub> PubSub for Part<B> {
    fn capabilities(&self) -> PubSubCapabilities {
        self.broker.capabilities()
    }

    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        let topic = self.own(&message.topic);
        let message = OutboundMessage { topic, ..message };
        self.broker.publish(message).await
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        let request = SubscribeRequest {
            topic: self.own(&request.topic),
            group: self.own(&request.group),
            ..request
        };
        self.broker.subscribe(request).await
    }

    async fn browse(
        &self,
        topic: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError> {
        self.broker.browse(&self.own(topic), after, limit).await
    }

    async fn remove(&self, topic: &str, id: &str) -> Result<bool, PubSubError> {
        self.broker.remove(&self.own(topic), id).await
    }

    async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError> {
        let stripped = |name: &str| name.strip_prefix(&self.prefix).map(str::to_owned);
        let depths = self.broker.depths().await?.into_iter();
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
        self.broker.ping().await
    }
}
