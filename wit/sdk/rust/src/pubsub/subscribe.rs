//! Messages of topics.

use crate::{
    Result,
    bindings::{
        imports::berth::pubsub::types::Event,
        subscriber::exports::berth::pubsub::{
            subscriber,
            subscriptions::{BulkSettings, Rule, Subscription},
        },
    },
    json,
};
use serde::de::DeserializeOwned;
use std::fmt;

type Handler = Box<dyn Fn(&Delivery) -> Outcome + Send + Sync>;

/// What a guest subscribes to, and which function takes the messages.
#[derive(Default)]
pub struct Subscriptions {
    declared: Vec<Subscription>,
    handlers: Vec<(Route, Handler)>,
}

/// Which messages go to a handler.
enum Route {
    /// Those that a document, or a rule of a topic, sends to this path.
    Path(String),
    /// Those of a topic that were sent nowhere else.
    Topic { pubsub: String, topic: String },
}

/// A subscription that the guest declares. A document for the same topic has precedence.
#[derive(Debug, Clone)]
pub struct Topic(Subscription);

/// A message.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The backend.
    pub pubsub: String,
    /// The topic.
    pub topic: String,
    /// The path that the subscription's rules chose.
    pub route: String,
    /// 1 for the first delivery; counts up where the broker counts.
    pub attempt: u32,
    /// The CloudEvent.
    pub event: Event,
    /// What the broker says about the message.
    pub metadata: Vec<(String, String)>,
}

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done: it is acknowledged.
    Success,
    /// Not now: it is delivered again, as the retry policy says, then dead-lettered.
    Retry,
    /// Never: it is dead-lettered at once, or discarded where there is no dead-letter topic.
    Drop,
}

/// What a handler may give: nothing, an [`Outcome`], or a `Result` of either, of which an error is logged and means retry.
pub trait IntoOutcome {
    /// The outcome.
    fn into_outcome(self, of: &Delivery) -> Outcome;
}

impl Subscriptions {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Subscribes to a topic.
    #[must_use]
    pub fn topic<R: IntoOutcome>(
        mut self,
        topic: Topic,
        handler: impl Fn(&Delivery) -> R + Send + Sync + 'static,
    ) -> Self {
        let route = Route::Topic {
            pubsub: topic.0.pubsub.clone(),
            topic: topic.0.topic.clone(),
        };
        self.declared.push(topic.0);
        self.add(route, handler)
    }

    /// Takes the messages that a Subscription document, or a [`Topic::rule`], sends to this path.
    #[must_use]
    pub fn route<R: IntoOutcome>(
        self,
        path: impl Into<String>,
        handler: impl Fn(&Delivery) -> R + Send + Sync + 'static,
    ) -> Self {
        self.add(Route::Path(path.into()), handler)
    }

    fn add<R: IntoOutcome>(
        mut self,
        route: Route,
        handler: impl Fn(&Delivery) -> R + Send + Sync + 'static,
    ) -> Self {
        let handler = move |delivery: &Delivery| handler(delivery).into_outcome(delivery);
        self.handlers.push((route, Box::new(handler)));
        self
    }

    /// A path is more than a topic. What nobody takes is dropped, since it would come again for ever.
    fn take(&self, delivery: &Delivery) -> Outcome {
        let find = |wanted: fn(&Route, &Delivery) -> bool| {
            let mut handlers = self.handlers.iter();
            handlers.find(|(route, _)| wanted(route, delivery))
        };
        match find(Route::is_path_of).or_else(|| find(Route::is_topic_of)) {
            Some((_, handler)) => handler(delivery),
            None => {
                eprintln!(
                    "nothing takes messages of {}/{} at {}",
                    delivery.pubsub, delivery.topic, delivery.route
                );
                Outcome::Drop
            }
        }
    }
}

impl Route {
    fn is_path_of(&self, delivery: &Delivery) -> bool {
        matches!(self, Self::Path(path) if *path == delivery.route)
    }

    fn is_topic_of(&self, delivery: &Delivery) -> bool {
        matches!(self, Self::Topic { pubsub, topic }
            if *pubsub == delivery.pubsub && *topic == delivery.topic)
    }
}

impl Topic {
    /// All messages of a topic.
    pub fn new(pubsub: impl Into<String>, topic: impl Into<String>) -> Self {
        let topic = topic.into();
        Self(Subscription {
            pubsub: pubsub.into(),
            default_route: Some(format!("/{topic}")),
            topic,
            rules: Vec::new(),
            dead_letter_topic: None,
            bulk: None,
            metadata: Vec::new(),
        })
    }

    /// Where messages go that could not be handled.
    #[must_use]
    pub fn dead_letter(mut self, topic: impl Into<String>) -> Self {
        self.0.dead_letter_topic = Some(topic.into());
        self
    }

    /// Sends those that match to a path of [`Subscriptions::route`]: a condition in CEL, such as
    /// `event.type == "order.created"`. The first that matches counts.
    #[must_use]
    pub fn rule(mut self, condition: impl Into<String>, path: impl Into<String>) -> Self {
        self.0.rules.push(Rule {
            match_: condition.into(),
            path: path.into(),
        });
        self
    }

    /// Takes up to so many messages at once from the broker, and waits so long for them.
    #[must_use]
    pub fn bulk(mut self, max_messages: u32, max_await_ms: u32) -> Self {
        self.0.bulk = Some(BulkSettings {
            enabled: true,
            max_messages_count: max_messages,
            max_await_duration_ms: max_await_ms,
        });
        self
    }

    /// One more thing that the broker understands.
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.metadata.push((name.into(), value.into()));
        self
    }
}

impl Delivery {
    /// The payload as JSON.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed): it is not of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        json::read(format!("event {}", self.event.id), &self.event.data)
    }
}

impl IntoOutcome for () {
    fn into_outcome(self, _: &Delivery) -> Outcome {
        Outcome::Success
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self, _: &Delivery) -> Outcome {
        self
    }
}

impl<T: IntoOutcome, E: fmt::Display> IntoOutcome for Result<T, E> {
    fn into_outcome(self, of: &Delivery) -> Outcome {
        match self {
            Ok(outcome) => outcome.into_outcome(of),
            Err(error) => {
                eprintln!("event {} must come again: {error}", of.event.id);
                Outcome::Retry
            }
        }
    }
}

#[doc(hidden)]
pub fn declare(subscriptions: &Subscriptions) -> Vec<Subscription> {
    subscriptions.declared.clone()
}

#[doc(hidden)]
pub fn handle(
    subscriptions: &Subscriptions,
    delivery: subscriber::Delivery,
) -> subscriber::Outcome {
    let delivery = Delivery {
        pubsub: delivery.pubsub,
        topic: delivery.topic,
        route: delivery.route,
        attempt: delivery.attempt,
        event: delivery.event,
        metadata: delivery.metadata,
    };
    match subscriptions.take(&delivery) {
        Outcome::Success => subscriber::Outcome::Success,
        Outcome::Retry => subscriber::Outcome::Retry,
        Outcome::Drop => subscriber::Outcome::Drop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(topic: &str, route: &str, data: &str) -> Delivery {
        Delivery {
            pubsub: "pubsub".to_owned(),
            topic: topic.to_owned(),
            route: route.to_owned(),
            attempt: 1,
            event: Event {
                id: "1".to_owned(),
                source: "test".to_owned(),
                event_type: "test".to_owned(),
                spec_version: "1.0".to_owned(),
                subject: None,
                time: None,
                data_content_type: None,
                data: data.as_bytes().to_vec(),
                extensions: Vec::new(),
            },
            metadata: Vec::new(),
        }
    }

    #[test]
    fn a_message_goes_to_its_path_or_else_to_its_topic() {
        let subscriptions = Subscriptions::new()
            .topic(Topic::new("pubsub", "orders"), |_: &Delivery| {
                Outcome::Retry
            })
            .route("/large", |_: &Delivery| {});
        let taken = |topic, route| subscriptions.take(&delivery(topic, route, ""));
        assert_eq!(taken("orders", "/orders"), Outcome::Retry);
        assert_eq!(taken("orders", "/large"), Outcome::Success);
        assert_eq!(taken("others", "/x"), Outcome::Drop);
        assert_eq!(
            declare(&subscriptions)[0].default_route.as_deref(),
            Some("/orders")
        );
    }

    #[test]
    fn an_error_means_that_the_message_comes_again() {
        let subscriptions = Subscriptions::new()
            .route("/numbers", |delivery: &Delivery| -> Result<()> {
                delivery.json::<u64>().map(drop)
            });
        let taken = |data| subscriptions.take(&delivery("t", "/numbers", data));
        assert_eq!(taken("17"), Outcome::Success);
        assert_eq!(taken("seventeen"), Outcome::Retry);
    }
}
