//! What tests do with a broker, in short words: for the suite, and for a driver's own tests.

use super::PATIENCE;
use crate::pubsub::{Consumer, InboundMessage, OutboundMessage, PubSub, SubscribeRequest};
use bytes::Bytes;

/// A text on its way to a topic.
#[must_use]
pub fn message(topic: &str, data: &str) -> OutboundMessage {
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

/// The same with a partition key.
#[must_use]
pub fn keyed(topic: &str, key: &str, data: &str) -> OutboundMessage {
    OutboundMessage {
        partition_key: Some(key.to_owned()),
        ..message(topic, data)
    }
}

/// What a member of a group asks for.
pub(super) fn request(topic: &str, group: &str, prefetch: usize) -> SubscribeRequest {
    SubscribeRequest {
        topic: topic.to_owned(),
        group: group.to_owned(),
        prefetch,
        metadata: Vec::new(),
    }
}

/// A member of a group.
///
/// # Panics
/// When the group cannot be joined.
pub async fn join(
    broker: &dyn PubSub,
    topic: &str,
    group: &str,
    prefetch: usize,
) -> Box<dyn Consumer> {
    let joined = broker.subscribe(request(topic, group, prefetch)).await;
    joined.expect("the group can be joined")
}

/// The next messages, at most `max`.
///
/// # Panics
/// When none comes.
pub async fn some(consumer: &mut dyn Consumer, max: usize) -> Vec<InboundMessage> {
    let messages = tokio::time::timeout(PATIENCE, consumer.receive(max)).await;
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

/// The next message.
///
/// # Panics
/// When none comes.
pub async fn one(consumer: &mut dyn Consumer) -> InboundMessage {
    some(consumer, 1).await.remove(0)
}

/// What a message says.
#[must_use]
pub fn text(message: &InboundMessage) -> String {
    String::from_utf8_lossy(&message.data).into_owned()
}

/// Done with a message.
///
/// # Panics
/// When the broker does not take the answer.
pub async fn acknowledge(message: InboundMessage) {
    let answered = message.lease.acknowledge().await;
    answered.expect("the message is acknowledged");
}
