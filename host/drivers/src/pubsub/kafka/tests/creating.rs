//! A broker that creates no topic by itself: each is created before it is used.

use super::KafkaPubSub;
use async_trait::async_trait;
use berth_blocks::pubsub::{
    Consumer, OutboundMessage, PubSub, PubSubCapabilities, PubSubError, StoredMessage,
    SubscribeRequest, TopicDepth,
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::RDKafkaErrorCode as Code,
};

/// A driver, and somebody who administers its broker.
pub(super) struct Creating {
    kafka: KafkaPubSub,
    admin: AdminClient<DefaultClientContext>,
}

impl Creating {
    pub(super) fn new(kafka: KafkaPubSub, brokers: &str) -> Self {
        let admin = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .create()
            .unwrap();
        Self { kafka, admin }
    }

    async fn create(&self, topic: &str) {
        let new = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
        let created = self.admin.create_topics(&[new], &AdminOptions::new()).await;
        for answer in created.unwrap() {
            match answer {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((topic, code)) => panic!("creating topic {topic}: {code}"),
            }
        }
    }
}

#[async_trait]
impl PubSub for Creating {
    fn capabilities(&self) -> PubSubCapabilities {
        self.kafka.capabilities()
    }

    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        self.create(&message.topic).await;
        self.kafka.publish(message).await
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        self.create(&request.topic).await;
        self.kafka.subscribe(request).await
    }

    async fn browse(
        &self,
        topic: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError> {
        self.kafka.browse(topic, after, limit).await
    }

    async fn remove(&self, topic: &str, id: &str) -> Result<bool, PubSubError> {
        self.kafka.remove(topic, id).await
    }

    async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError> {
        self.kafka.depths().await
    }

    async fn ping(&self) -> Result<(), PubSubError> {
        self.kafka.ping().await
    }
}
