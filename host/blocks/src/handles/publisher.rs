//! Publishing as doors call it.

use super::pending::Pending;
use crate::{
    Blocks, Caller,
    backend::{Block, Grant},
    cloudevents::{Envelope, is_raw},
    limits::{BATCH_ITEMS_MAX, MESSAGE_BYTES_MAX, TOPIC_BYTES_MAX},
    pipeline::{Operation, call},
    pubsub::{OutboundMessage, PubSubError},
    scopes::TopicUse,
};
use berth_telemetry::trace::{Span, Trace};
use bytes::Bytes;
use std::{collections::HashSet, sync::Arc, time::Duration};

/// A payload, as a guest gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The payload; a whole CloudEvent if the content type is `application/cloudevents+json`.
    pub data: Bytes,
    /// Media type of `data`; absent: `text/plain`.
    pub content_type: Option<String>,
}

/// How to publish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishOptions {
    /// Send the data as it is, without an envelope. `rawPayload` in the metadata means the same.
    pub raw: bool,
    /// Not delivered after this; absent: `ttlInSeconds` in the metadata.
    pub ttl: Option<Duration>,
    /// Messages with the same key keep their order, where the broker can; absent: `partitionKey` in the metadata.
    pub partition_key: Option<String>,
    /// Overrides such as `cloudevent.id`, and what the broker understands.
    pub metadata: Vec<(String, String)>,
}

/// One message of many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkMessage {
    /// Names it in the answer; unique within the call.
    pub entry_id: String,
    /// The payload.
    pub message: Message,
    /// Beyond that of the call, which it overrides.
    pub metadata: Vec<(String, String)>,
}

/// The messages of one call.
#[derive(Default)]
struct Separated {
    /// Of those that are sent.
    ids: Vec<String>,
    sent: Vec<OutboundMessage>,
    refused: Vec<(String, PubSubError)>,
}

/// A pub/sub backend to publish to, for one caller.
#[derive(Clone)]
pub struct Publisher {
    blocks: Blocks,
    caller: Arc<Caller>,
    pubsub: Box<str>,
}

impl Publisher {
    pub(crate) fn new(blocks: Blocks, caller: Arc<Caller>, pubsub: &str) -> Self {
        Self {
            blocks,
            caller,
            pubsub: pubsub.into(),
        }
    }

    /// Whether the backend exists for this caller.
    ///
    /// # Errors
    /// `NotFound` if not, `Unavailable` if it could not be opened.
    pub fn check(&self) -> Result<(), PubSubError> {
        self.grant().map(drop)
    }

    /// Publishes one message: the broker has it as durably as it can.
    ///
    /// # Errors
    /// What the guest can do about it.
    pub async fn publish(
        &self,
        topic: &str,
        message: Message,
        options: PublishOptions,
    ) -> Result<(), PubSubError> {
        let grant = self.grant()?;
        let operation = Operation::Publish;
        let (trace, span) = self.begin(&grant, operation, topic);
        let message = check_topic(&grant, topic)
            .and_then(|()| self.outbound(&grant, (topic, &trace), message, options));
        let publish =
            |grant: Arc<Grant>, message| async move { grant.broker()?.publish(message).await };
        self.run(&grant, (operation, span), message, publish).await
    }

    /// Publishes many messages, each on its own. Returns those that failed.
    ///
    /// # Errors
    /// Those of the call as a whole: the topic is forbidden, an entry ID is missing or comes twice.
    pub async fn bulk_publish(
        &self,
        topic: &str,
        messages: Vec<BulkMessage>,
        options: PublishOptions,
    ) -> Result<Vec<(String, PubSubError)>, PubSubError> {
        let grant = self.grant()?;
        let operation = Operation::BulkPublish;
        let (trace, span) = self.begin(&grant, operation, topic);
        span.set("messaging.batch.message_count", count(messages.len()));
        let mut separated = self.separated(&grant, (topic, &trace), messages, &options);
        let pending = match &mut separated {
            Ok(own) => Ok(Pending::new(&grant, std::mem::take(&mut own.sent))),
            Err(error) => Err(error.clone()),
        };
        let publish = |grant: Arc<Grant>, pending: Pending<_, (), _>| async move {
            let (places, messages) = pending.take();
            if messages.is_empty() {
                return Ok(());
            }
            let answers = grant.broker()?.bulk_publish(messages).await;
            pending.settle(&places, answers)
        };
        let ended = self
            .run(&grant, (operation, span), pending.clone(), publish)
            .await;
        let (Ok(separated), Ok(pending)) = (separated, pending) else {
            return ended.map(|()| Vec::new());
        };
        let answers = separated.ids.into_iter().zip(pending.finish(ended)?);
        let failed = answers.filter_map(|(id, answer)| answer.err().map(|error| (id, error)));
        Ok(separated.refused.into_iter().chain(failed).collect())
    }

    /// Messages that go to the broker, and those that do not.
    fn separated(
        &self,
        grant: &Grant,
        (topic, trace): (&str, &Trace),
        messages: Vec<BulkMessage>,
        options: &PublishOptions,
    ) -> Result<Separated, PubSubError> {
        check_topic(grant, topic)?;
        check_entries(&messages)?;
        let mut separated = Separated::default();
        for entry in messages {
            let options = overridden(options, entry.metadata);
            match self.outbound(grant, (topic, trace), entry.message, options) {
                Ok(message) => {
                    separated.ids.push(entry.entry_id);
                    separated.sent.push(message);
                }
                Err(error) => separated.refused.push((entry.entry_id, error)),
            }
        }
        Ok(separated)
    }

    /// The message as it goes over the wire.
    fn outbound(
        &self,
        grant: &Grant,
        (topic, trace): (&str, &Trace),
        message: Message,
        mut options: PublishOptions,
    ) -> Result<OutboundMessage, PubSubError> {
        if message.data.len() > MESSAGE_BYTES_MAX {
            return Err(PubSubError::TooLarge(format!(
                "the message has {} bytes, the limit is {MESSAGE_BYTES_MAX}",
                message.data.len()
            )));
        }
        let broker = grant.broker()?;
        let raw = options.raw || is_raw(&options.metadata).map_err(PubSubError::InvalidMetadata)?;
        let ttl = ttl(&options)?;
        let partition_key = partition_key(&mut options);
        let (data, content_type) = if raw {
            let content_type = message
                .content_type
                .unwrap_or_else(|| "application/octet-stream".to_owned());
            (message.data, content_type)
        } else {
            let envelope = Envelope {
                source: self.caller.app.as_str(),
                topic,
                pubsub: &self.pubsub,
                trace,
                // A broker that expires messages itself needs no mark in the envelope.
                expires_in: ttl.filter(|_| !broker.capabilities().ttl),
                metadata: &options.metadata,
            };
            let event = envelope.wrap(message.data, message.content_type.as_deref());
            (
                event.map_err(PubSubError::InvalidEvent)?,
                crate::cloudevents::JSON_TYPE.to_owned(),
            )
        };
        Ok(OutboundMessage {
            topic: [&grant.topic_prefix, topic].concat(),
            data,
            content_type,
            ttl,
            partition_key,
            metadata: options.metadata,
            retain: None,
        })
    }

    /// The span of a call, and where its messages stand: whoever gets them nests below it.
    fn begin(&self, grant: &Grant, operation: Operation, topic: &str) -> (Trace, Span) {
        let own = &self.caller.trace;
        let span = operation.span(own, &grant.calls);
        if span.is_recorded() {
            span.set("messaging.destination.name", topic.to_owned());
        }
        (own.inside(&span), span)
    }

    fn grant(&self) -> Result<Arc<Grant>, PubSubError> {
        self.blocks.grant(
            &self.caller.namespace,
            &self.caller.app,
            Block::PubSub,
            &self.pubsub,
        )
    }

    /// Runs one call. What it sends was prepared once, so that every attempt sends the same; `work` is one attempt. Its
    /// future owns its grant: a closure over borrows could not be proven `Send` by whoever spawns it.
    fn run<I: Clone, T, F>(
        &self,
        grant: &Arc<Grant>,
        (operation, span): (Operation, Span),
        prepared: Result<I, PubSubError>,
        work: impl Fn(Arc<Grant>, I) -> F,
    ) -> impl Future<Output = Result<T, PubSubError>>
    where
        F: Future<Output = Result<T, PubSubError>>,
    {
        let attempt = move |prepared: Result<I, PubSubError>| {
            let attempt = prepared.map(|input| work(grant.clone(), input));
            async { attempt?.await }
        };
        let asked = (span, self.caller.deadline);
        call(grant, operation, asked, prepared, attempt)
    }
}

fn count(messages: usize) -> i64 {
    i64::try_from(messages).unwrap_or(i64::MAX)
}

fn check_topic(grant: &Grant, topic: &str) -> Result<(), PubSubError> {
    match topic.len() {
        0 => return Err(PubSubError::Invalid("the topic is empty".to_owned())),
        1..=TOPIC_BYTES_MAX => {}
        length => {
            let message = format!("the topic has {length} bytes, the limit is {TOPIC_BYTES_MAX}");
            return Err(PubSubError::Invalid(message));
        }
    }
    let allowed = grant
        .topics
        .check(&grant.calls.app, topic, TopicUse::Publish);
    allowed.map_err(PubSubError::Denied)
}

fn check_entries(messages: &[BulkMessage]) -> Result<(), PubSubError> {
    if messages.len() > BATCH_ITEMS_MAX {
        return Err(PubSubError::TooLarge(format!(
            "{} messages in one call, the limit is {BATCH_ITEMS_MAX}",
            messages.len()
        )));
    }
    let mut seen = HashSet::new();
    for BulkMessage { entry_id, .. } in messages {
        if entry_id.is_empty() {
            return Err(PubSubError::InvalidEntry("an entry has no ID".to_owned()));
        }
        if !seen.insert(entry_id) {
            return Err(PubSubError::InvalidEntry(format!(
                "entry ID \"{entry_id}\" comes twice"
            )));
        }
    }
    Ok(())
}

/// The options of the call with the metadata of one entry over them.
fn overridden(options: &PublishOptions, metadata: Vec<(String, String)>) -> PublishOptions {
    let mut options = options.clone();
    options.metadata.retain(|(name, _)| {
        !metadata
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name))
    });
    options.metadata.extend(metadata);
    options
}

fn named(metadata: &[(String, String)], name: &str) -> Option<String> {
    let found = metadata
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.clone())
}

/// The partition key of a message. It stands in the metadata too, for subscribers and dead letters.
fn partition_key(options: &mut PublishOptions) -> Option<String> {
    const NAME: &str = "partitionKey";
    let noted = named(&options.metadata, NAME);
    match options.partition_key.take() {
        Some(key) if noted.is_none() => {
            options.metadata.push((NAME.to_owned(), key.clone()));
            Some(key)
        }
        own => own.or(noted),
    }
}

/// The time to live of a message: `ttlInSeconds`, or Dapr's `ttl`.
fn ttl(options: &PublishOptions) -> Result<Option<Duration>, PubSubError> {
    let read = |name: &str| named(&options.metadata, name).map(|text| (name.to_owned(), text));
    let (name, ttl) = match (options.ttl, read("ttlInSeconds").or_else(|| read("ttl"))) {
        (Some(ttl), _) => ("ttl".to_owned(), ttl),
        (None, None) => return Ok(None),
        (None, Some((name, text))) => {
            let ttl = crate::registry::metadata::duration(&text, Duration::from_secs(1));
            let ttl = ttl.map_err(|error| {
                PubSubError::InvalidMetadata(format!("metadata {name}: {error}"))
            })?;
            (name, ttl)
        }
    };
    if ttl.is_zero() {
        return Err(PubSubError::InvalidMetadata(format!(
            "metadata {name}: a message cannot live for no time"
        )));
    }
    Ok(Some(ttl))
}
