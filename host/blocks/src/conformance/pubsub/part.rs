//! A part of a broker that many tests share.

use crate::pubsub::{
    Consumer, OutboundMessage, PubSub, PubSubCapabilities, PubSubError, StoredMessage,
    SubscribeRequest, TopicDepth,
};
use async_trait::async_trait;
use futures::future::BoxFuture;

/// A broker of which a test sees the topics and groups of its own only: their names begin with a prefix.
pub struct Part<B> {
    broker: B,
    prefix: String,
    prepare: Option<Prepare>,
}

/// Given the whole name of a topic.
type Prepare = Box<dyn Fn(String) -> BoxFuture<'static, ()> + Send + Sync>;

impl<B> Part<B> {
    /// Of this broker, under a prefix that no other test has.
    pub fn new(broker: B, prefix: String) -> Self {
        Self {
            broker,
            prefix,
            prepare: None,
        }
    }

    /// With what a topic needs before each use, as on a broker that creates none by itself.
    #[must_use]
    pub fn preparing(
        self,
        prepare: impl Fn(String) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            prepare: Some(Box::new(prepare)),
            ..self
        }
    }

    /// The whole name of a topic that is about to be used.
    async fn prepared(&self, topic: &str) -> String {
        let topic = self.own(topic);
        if let Some(prepare) = &self.prepare {
            prepare(topic.clone()).await;
        }
        topic
    }

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
        let topic = self.prepared(&message.topic).await;
        let message = OutboundMessage { topic, ..message };
        self.broker.publish(message).await
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        let request = SubscribeRequest {
            topic: self.prepared(&request.topic).await,
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
