//! What every broker does. Cases take a fresh, empty broker.

mod groups;
mod leases;
mod publishing;
mod rest;

pub use groups::*;
pub use leases::*;
pub use publishing::*;
pub use rest::*;

use super::{PATIENCE, Subject};
use crate::pubsub::{
    Consumer, InboundMessage, OutboundMessage, PubSub, PubSubError, SubscribeRequest,
};
use bytes::Bytes;
use std::{collections::BTreeSet, time::Duration};

/// The broker under test.
pub type Broker = Subject<dyn PubSub>;

/// How long a consumer is watched for something that must not come.
const SILENCE: Duration = Duration::from_millis(400);

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

fn request(topic: &str, group: &str, prefetch: usize) -> SubscribeRequest {
    SubscribeRequest {
        topic: topic.to_owned(),
        group: group.to_owned(),
        prefetch,
        metadata: Vec::new(),
    }
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{prefix}-{number}"))
        .collect()
}

impl Broker {
    async fn publish(&self, message: OutboundMessage) {
        self.backend
            .publish(message)
            .await
            .expect("the broker takes the message");
    }

    async fn publish_all(&self, topic: &str, data: &[String]) {
        for data in data {
            self.publish(message(topic, data)).await;
        }
    }

    async fn join(&self, topic: &str, group: &str) -> Listener {
        self.join_with(topic, group, 100).await
    }

    async fn join_with(&self, topic: &str, group: &str, prefetch: usize) -> Listener {
        let joining = self.backend.subscribe(request(topic, group, prefetch));
        Listener(joining.await.expect("the group can be joined"))
    }

    /// Whether the broker has no such topic names: it says so to publishers and to subscribers.
    async fn refuses(&self, topic: &str) -> bool {
        let joined = self.backend.subscribe(request(topic, "refused", 1)).await;
        let Err(refusal) = joined else { return false };
        assert!(matches!(refusal, PubSubError::Invalid(_)), "{refusal:?}");
        let answer = self.backend.publish(message(topic, topic)).await;
        assert_eq!(answer, Err(refusal));
        true
    }

    fn can_browse(&self) -> bool {
        self.backend.capabilities().browse
    }
}

/// A member of a group.
struct Listener(Box<dyn Consumer>);

impl Listener {
    /// The next messages; panics when none comes.
    async fn some(&mut self, max: usize) -> Vec<InboundMessage> {
        let messages = tokio::time::timeout(PATIENCE, self.0.receive(max)).await;
        let messages = messages
            .expect("a message comes")
            .expect("receiving succeeds");
        assert!(
            (1..=max).contains(&messages.len()),
            "{} messages, asked for {max}",
            messages.len()
        );
        messages
    }

    async fn one(&mut self) -> InboundMessage {
        self.some(1).await.remove(0)
    }

    /// Acknowledges everything until each of `expected` has come; repeats are allowed, others are not.
    async fn drain(&mut self, expected: &[String]) {
        let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
        let mut seen = BTreeSet::new();
        while seen.len() < expected.len() {
            for message in self.some(10).await {
                let text = text(&message);
                assert!(
                    expected.contains(text.as_str()),
                    "{text} is not for this consumer"
                );
                seen.insert(text);
                acknowledge(message).await;
            }
        }
    }

    /// Nothing comes for a while.
    async fn silent(&mut self) {
        if let Ok(messages) = tokio::time::timeout(SILENCE, self.0.receive(1)).await {
            panic!("a message that must not come: {messages:?}");
        }
    }
}

fn text(message: &InboundMessage) -> String {
    String::from_utf8_lossy(&message.data).into_owned()
}

async fn acknowledge(message: InboundMessage) {
    message
        .lease
        .acknowledge()
        .await
        .expect("the message is acknowledged");
}

/// Brokers that show nothing say so.
fn assert_unsupported<T: std::fmt::Debug>(answer: Result<T, PubSubError>) {
    assert!(
        matches!(answer, Err(PubSubError::Unsupported(_))),
        "{answer:?}"
    );
}
