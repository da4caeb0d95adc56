//! Messages to topics.

use crate::{Result, bindings::imports::berth::pubsub::publisher, json};
use serde::Serialize;
use std::time::Duration;

/// Publishes a value as JSON. Success means that the broker has taken it as durably as it can.
///
/// # Errors
/// The broker has not taken it, or nobody knows ([`Kind::Timeout`](crate::Kind::Timeout)).
pub fn publish(pubsub: &str, topic: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
    Publish::to(pubsub, topic).json(value)
}

/// A message that has not been published.
#[derive(Debug, Clone)]
pub struct Publish {
    pubsub: String,
    topic: String,
    options: publisher::PublishOptions,
}

impl Publish {
    /// To a topic of a pub/sub backend.
    pub fn to(pubsub: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            pubsub: pubsub.into(),
            topic: topic.into(),
            options: publisher::PublishOptions {
                raw: false,
                ttl_seconds: None,
                partition_key: None,
                metadata: Vec::new(),
            },
        }
    }

    /// The ID of the event. Whoever publishes the same again gives it the same ID, so that receivers know it.
    #[must_use]
    pub fn id(self, id: impl Into<String>) -> Self {
        self.metadata("cloudevent.id", id)
    }

    /// The type of the event, such as `order.confirmed`.
    #[must_use]
    pub fn event_type(self, event_type: impl Into<String>) -> Self {
        self.metadata("cloudevent.type", event_type)
    }

    /// The subject of the event.
    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.metadata("cloudevent.subject", subject)
    }

    /// It is no longer delivered after this time, in whole seconds.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.options.ttl_seconds = Some(u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX));
        self
    }

    /// Messages of one topic with the same key are delivered in order, where the broker can.
    #[must_use]
    pub fn partition_key(mut self, key: impl Into<String>) -> Self {
        self.options.partition_key = Some(key.into());
        self
    }

    /// As it is, without a CloudEvents envelope.
    #[must_use]
    pub fn raw(mut self) -> Self {
        self.options.raw = true;
        self
    }

    /// One more thing that the broker understands.
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.metadata.push((name.into(), value.into()));
        self
    }

    /// Publishes a value as JSON.
    ///
    /// # Errors
    /// As [`publish`].
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        let data = json::write(&self.topic, value)?;
        self.bytes(data, json::MEDIA_TYPE)
    }

    /// Publishes bytes of a media type. Those of `application/cloudevents+json` are a whole CloudEvent.
    ///
    /// # Errors
    /// As [`publish`].
    pub fn bytes(self, data: impl Into<Vec<u8>>, media_type: &str) -> Result<()> {
        let message = publisher::Message {
            data: data.into(),
            content_type: Some(media_type.to_owned()),
        };
        Ok(publisher::publish(
            &self.pubsub,
            &self.topic,
            &message,
            &self.options,
        )?)
    }

    /// Publishes many values, each on its own. Gives the places of those that were not taken, with why.
    ///
    /// # Errors
    /// None of them was tried.
    pub fn json_many(self, values: &[impl Serialize]) -> Result<Vec<(usize, crate::Error)>> {
        let messages = values.iter().enumerate().map(|(place, value)| {
            Ok(publisher::BulkMessage {
                entry_id: place.to_string(),
                message: publisher::Message {
                    data: json::write(&self.topic, value)?,
                    content_type: Some(json::MEDIA_TYPE.to_owned()),
                },
                metadata: Vec::new(),
            })
        });
        let messages = messages.collect::<Result<Vec<_>>>()?;
        let failed = publisher::bulk_publish(&self.pubsub, &self.topic, &messages, &self.options)?;
        let placed = |failure: publisher::BulkFailure| {
            Some((failure.entry_id.parse().ok()?, failure.error.into()))
        };
        Ok(failed.into_iter().filter_map(placed).collect())
    }
}
