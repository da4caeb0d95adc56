//! Pub/sub: topics, consumer groups, delivery at least once.
//!
//! A driver moves bytes: it knows neither CloudEvents nor routes nor dead letters. Its conformance suite is
//! `conformance::pubsub`.

use async_trait::async_trait;
use bytes::Bytes;
use std::time::{Duration, SystemTime};

/// Why a pub/sub call failed: the variant says what the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PubSubError {
    /// The app sees no backend at all.
    #[error("{0}")]
    NotConfigured(String),
    /// No such backend, or not visible to the app.
    #[error("{0}")]
    NotFound(String),
    /// Forbidden by a scope.
    #[error("{0}")]
    Denied(String),
    /// The request is wrong.
    #[error("{0}")]
    Invalid(String),
    /// Metadata such as `ttlInSeconds` has a value that means nothing.
    #[error("{0}")]
    InvalidMetadata(String),
    /// The data is said to be a CloudEvent, and is none.
    #[error("{0}")]
    InvalidEvent(String),
    /// An entry of a bulk call has no ID, or one that comes twice.
    #[error("{0}")]
    InvalidEntry(String),
    /// The broker cannot do this.
    #[error("{0}")]
    Unsupported(String),
    /// Another attempt may cure it.
    #[error("{0}")]
    Unavailable(String),
    /// No answer in time; whether it happened is unknown.
    #[error("{0}")]
    Timeout(String),
    /// Over a limit.
    #[error("{0}")]
    TooLarge(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// A message on its way to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundMessage {
    /// Topic as the broker knows it.
    pub topic: String,
    /// What goes over the wire, envelope included.
    pub data: Bytes,
    /// Media type of `data`.
    pub content_type: String,
    /// Not delivered after this, where the broker can (see [`PubSubCapabilities::ttl`]).
    pub ttl: Option<Duration>,
    /// Messages with the same key keep their order, where the broker can.
    pub partition_key: Option<String>,
    /// Kept with the message and given to subscribers.
    pub metadata: Vec<(String, String)>,
    /// Keep it readable this long even when every group has consumed it: dead letters are read by people.
    pub retain: Option<Duration>,
}

/// A message from the broker, leased to one consumer. It comes again unless it is acknowledged.
#[derive(Debug)]
pub struct InboundMessage {
    /// The broker's identifier of the message, unique within backend and topic.
    pub id: String,
    /// As published.
    pub data: Bytes,
    /// Media type, where the broker keeps one.
    pub content_type: Option<String>,
    /// As published, and what the broker adds.
    pub metadata: Vec<(String, String)>,
    /// 1 for the first delivery to this group; counts up where the broker counts.
    pub attempt: u32,
    /// When it was published, where known.
    pub published_at: Option<SystemTime>,
    /// How to answer for it.
    pub lease: Box<dyn Lease>,
}

/// The right to handle one message for a while. Dropped without an answer: the message comes again.
#[async_trait]
pub trait Lease: Send + Sync + std::fmt::Debug {
    /// How long the lease lasts without [`extend`](Self::extend); `None`: as long as the connection.
    fn duration(&self) -> Option<Duration>;

    /// Starts the lease anew. An error means that the message may already be with somebody else.
    async fn extend(&self) -> Result<(), PubSubError>;

    /// Done: it does not come again to this group.
    async fn acknowledge(self: Box<Self>) -> Result<(), PubSubError>;

    /// Not done: it comes again, not before `delay`. Does not count as an attempt when `count` is
    /// [`Attempt::NotCounted`] (a host that drains hands messages back).
    async fn release(self: Box<Self>, delay: Duration, count: Attempt) -> Result<(), PubSubError>;
}

/// Whether a release counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The handler saw it.
    Counted,
    /// The handler did not see it.
    NotCounted,
}

/// What a consumer wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeRequest {
    /// Topic as the broker knows it.
    pub topic: String,
    /// Consumer group: members compete, groups each get a copy. Dapr's `consumerID`, by default the app ID.
    pub group: String,
    /// Most messages that may be leased at the same time.
    pub prefetch: usize,
    /// From the subscription document.
    pub metadata: Vec<(String, String)>,
}

/// A running subscription. Dropped: the group stays, nothing more is fetched.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for the next messages: at least one, at most `max`. Cancel safe: a message that was fetched but not
    /// returned comes again.
    async fn receive(&mut self, max: usize) -> Result<Vec<InboundMessage>, PubSubError>;
}

/// A message at rest, for people who look into a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// The broker's identifier.
    pub id: String,
    /// As published.
    pub data: Bytes,
    /// Media type.
    pub content_type: Option<String>,
    /// As published.
    pub metadata: Vec<(String, String)>,
    /// When it was published.
    pub published_at: SystemTime,
}

/// How much of a topic waits for one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDepth {
    /// Topic as the broker knows it.
    pub topic: String,
    /// Consumer group; absent: the topic has none, and `waiting` counts what is stored.
    pub group: Option<String>,
    /// Not yet leased.
    pub waiting: u64,
    /// Leased now.
    pub in_flight: u64,
}

/// What a broker can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PubSubCapabilities {
    /// Expires messages itself; else the delivery side drops them by the envelope's `expiration`.
    pub ttl: bool,
    /// Keeps the order of messages with the same partition key.
    pub ordering: bool,
    /// Keeps messages over a restart of the host.
    pub durable: bool,
    /// Is a log: keeps what every group has consumed, like what has been published for nobody. Else consumed messages
    /// go, unless they are to be retained.
    pub log: bool,
    /// Keeps what nobody has subscribed to yet: a new group begins with the oldest message that is kept. Else it begins
    /// with the first message published after it was made.
    pub history: bool,
    /// [`PubSub::browse`] and [`PubSub::depths`] work.
    pub browse: bool,
    /// [`PubSub::remove`] works.
    pub removal: bool,
}

impl PubSubCapabilities {
    /// As Dapr names them.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let ttl = self.ttl.then_some("MESSAGE_TTL");
        ttl.into_iter().collect()
    }
}

/// A broker: one attempt per call, no policy.
#[async_trait]
pub trait PubSub: Send + Sync + 'static {
    /// What this broker can do.
    fn capabilities(&self) -> PubSubCapabilities;

    /// Publishes one message; returns when the broker has it as durably as it can.
    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError>;

    /// Publishes many, each on its own, one result each in the order given.
    async fn bulk_publish(&self, messages: Vec<OutboundMessage>) -> Vec<Result<(), PubSubError>> {
        futures::future::join_all(messages.into_iter().map(|message| self.publish(message))).await
    }

    /// Joins a consumer group, made if it does not exist; a new group begins with the oldest message that is kept,
    /// where the broker keeps any (see [`PubSubCapabilities::history`]).
    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError>;

    /// Messages at rest of a topic, oldest first, at most `limit`, after the message `after`.
    async fn browse(
        &self,
        topic: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError>;

    /// Removes a message at rest. `false`: there is none with this ID.
    async fn remove(&self, topic: &str, id: &str) -> Result<bool, PubSubError>;

    /// What waits, per topic and group.
    async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError>;

    /// Whether the broker answers: what `berth components` shows as health.
    async fn ping(&self) -> Result<(), PubSubError>;
}
