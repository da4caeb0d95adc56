//! What every broker does. Cases take a fresh, empty broker.

mod acts;
mod groups;
mod leases;
mod part;
mod publishing;
mod rest;

use acts::request;
pub use acts::{acknowledge, join, keyed, message, one, some, text};
pub use groups::*;
pub use leases::*;
pub use part::Part;
pub use publishing::*;
pub use rest::*;

use super::{PATIENCE, Subject};
use crate::pubsub::{Consumer, InboundMessage, OutboundMessage, PubSub, PubSubError};
use std::{collections::BTreeSet, time::Duration};

/// The broker under test.
pub type Broker = Subject<dyn PubSub>;

/// How long a consumer is watched for something that must not come.
const SILENCE: Duration = Duration::from_millis(400);

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
        some(&mut *self.0, max).await
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

/// Brokers that show nothing say so.
fn assert_unsupported<T: std::fmt::Debug>(answer: Result<T, PubSubError>) {
    assert!(
        matches!(answer, Err(PubSubError::Unsupported(_))),
        "{answer:?}"
    );
}
