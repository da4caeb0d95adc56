//! `pubsub.in-memory`: topics in the memory of this process. At least once with leases, redelivery, groups, time to
//! live and order by partition key; only the process must live.

mod group;
mod topic;

use crate::{
    pubsub::{
        Attempt, Consumer, InboundMessage, Lease, OutboundMessage, PubSub, PubSubCapabilities,
        PubSubError, StoredMessage, SubscribeRequest, TopicDepth,
    },
    registry::{Driver, OpenContext, OpenError, Opened, metadata::DurationOrSeconds},
};
use async_trait::async_trait;
use group::Receipt;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use topic::{Taken, Topic};

/// Topics of one backend: names come from guests.
const TOPICS_MAX: usize = 10_000;

pub(super) fn driver() -> Driver {
    Driver::new(
        "pubsub.in-memory",
        &["v1"],
        "Topics in the memory of this process",
        open,
    )
}

/// Metadata of `pubsub.in-memory`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InMemoryMetadata {
    /// How long a message is leased to a consumer that does not extend the lease; default `30s`.
    #[serde(default = "default_lease")]
    lease_duration: DurationOrSeconds,
    /// Messages that one topic holds. A full topic with subscribers refuses more; without any it drops the oldest.
    #[serde(default = "default_messages")]
    max_messages: usize,
}

fn default_lease() -> DurationOrSeconds {
    DurationOrSeconds(Duration::from_secs(30))
}

fn default_messages() -> usize {
    100_000
}

async fn open(_: OpenContext, metadata: InMemoryMetadata) -> Result<Opened, OpenError> {
    let broker = Broker::new(metadata.lease_duration.0, metadata.max_messages);
    Ok(Opened::pubsub(broker))
}

struct Broker(Arc<Shared>);

struct Shared {
    topics: Mutex<HashMap<String, Topic>>,
    lease: Duration,
    messages_max: usize,
}

impl Broker {
    fn new(lease: Duration, messages_max: usize) -> Self {
        Self(Arc::new(Shared {
            topics: Mutex::default(),
            lease,
            messages_max,
        }))
    }
}

impl Shared {
    /// Runs a step on a topic, made if it does not exist.
    fn topic<T>(
        &self,
        name: &str,
        step: impl FnOnce(&mut Topic, Instant) -> T,
    ) -> Result<T, PubSubError> {
        let mut topics = self.topics.lock();
        if !topics.contains_key(name) {
            if topics.len() >= TOPICS_MAX {
                return Err(PubSubError::TooLarge(format!(
                    "there are {TOPICS_MAX} topics already, the limit"
                )));
            }
            topics.insert(name.to_owned(), Topic::default());
        }
        let topic = topics.get_mut(name);
        let topic = topic.ok_or_else(|| PubSubError::Other(format!("topic \"{name}\" is gone")))?;
        Ok(step(topic, Instant::now()))
    }
}

#[async_trait]
impl PubSub for Broker {
    fn capabilities(&self) -> PubSubCapabilities {
        PubSubCapabilities {
            ttl: true,
            ordering: true,
            durable: false,
            log: false,
            history: true,
            browse: true,
            removal: true,
        }
    }

    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        let name = message.topic.clone();
        self.0.topic(&name, |topic, now| {
            topic.publish(message, self.0.messages_max, now)
        })?
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        let wake = self
            .0
            .topic(&request.topic, |topic, _| topic.join(&request.group))?;
        Ok(Box::new(InMemoryConsumer {
            source: Source {
                broker: self.0.clone(),
                topic: request.topic.into(),
                group: request.group.into(),
            },
            wake,
            slots: Arc::new(Semaphore::new(
                request.prefetch.clamp(1, Semaphore::MAX_PERMITS),
            )),
        }))
    }

    async fn browse(
        &self,
        topic: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError> {
        let after = after.map(parse_id).transpose()?;
        self.0
            .topic(topic, |topic, now| topic.browse(after, limit, now))
    }

    async fn remove(&self, topic: &str, id: &str) -> Result<bool, PubSubError> {
        let Ok(id) = parse_id(id) else {
            return Ok(false);
        };
        self.0.topic(topic, |topic, _| topic.remove(id))
    }

    async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError> {
        let now = Instant::now();
        let mut topics = self.0.topics.lock();
        let mut depths: Vec<_> = topics
            .iter_mut()
            .flat_map(|(name, topic)| topic.depths(name, now))
            .collect();
        depths.sort_by(|a, b| (&a.topic, &a.group).cmp(&(&b.topic, &b.group)));
        Ok(depths)
    }

    async fn ping(&self) -> Result<(), PubSubError> {
        Ok(())
    }
}

fn parse_id(id: &str) -> Result<u64, PubSubError> {
    id.parse()
        .map_err(|_| PubSubError::Invalid(format!("`{id}` is not an ID of this broker")))
}

/// Where a consumer and its leases belong.
#[derive(Clone)]
struct Source {
    broker: Arc<Shared>,
    topic: Arc<str>,
    group: Arc<str>,
}

impl Source {
    fn step<T>(&self, step: impl FnOnce(&mut Topic, &str, Instant) -> T) -> Result<T, PubSubError> {
        self.broker
            .topic(&self.topic, |topic, now| step(topic, &self.group, now))
    }
}

struct InMemoryConsumer {
    source: Source,
    wake: Arc<Notify>,
    /// One permit for each message that may be leased at the same time.
    slots: Arc<Semaphore>,
}

#[async_trait]
impl Consumer for InMemoryConsumer {
    async fn receive(&mut self, max: usize) -> Result<Vec<InboundMessage>, PubSubError> {
        let closed = |_| PubSubError::Other("the consumer is closed".to_owned());
        let mut slots = vec![self.slots.clone().acquire_owned().await.map_err(closed)?];
        while slots.len() < max
            && let Ok(slot) = self.slots.clone().try_acquire_owned()
        {
            slots.push(slot);
        }
        loop {
            let mut woken = std::pin::pin!(self.wake.notified());
            // Registered before looking: a message that arrives in between wakes.
            woken.as_mut().enable();
            let lease = self.source.broker.lease;
            let (taken, next) = self.source.step(|topic, group, now| {
                (
                    topic.take(group, slots.len(), lease, now),
                    topic.wake_at(group, now),
                )
            })?;
            if !taken.is_empty() {
                let messages = taken.into_iter().zip(slots);
                return Ok(messages
                    .map(|(taken, slot)| self.inbound(taken, slot))
                    .collect());
            }
            match next {
                Some(next) => drop(tokio::time::timeout_at(next, woken).await),
                None => woken.await,
            }
        }
    }
}

impl InMemoryConsumer {
    fn inbound(&self, taken: Taken, slot: OwnedSemaphorePermit) -> InboundMessage {
        let message = taken.message;
        InboundMessage {
            id: message.id,
            data: message.data,
            content_type: message.content_type,
            metadata: message.metadata,
            attempt: taken.attempt,
            published_at: Some(message.published_at),
            lease: Box::new(InMemoryLease {
                source: self.source.clone(),
                receipt: taken.receipt,
                answered: false,
                _slot: slot,
            }),
        }
    }
}

struct InMemoryLease {
    source: Source,
    receipt: Receipt,
    answered: bool,
    _slot: OwnedSemaphorePermit,
}

impl std::fmt::Debug for InMemoryLease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InMemoryLease")
            .field("receipt", &self.receipt)
            .finish_non_exhaustive()
    }
}

fn held(still: bool) -> Result<(), PubSubError> {
    let lost = || {
        PubSubError::Other(
            "the lease was lost: the message may be with another consumer".to_owned(),
        )
    };
    still.then_some(()).ok_or_else(lost)
}

#[async_trait]
impl Lease for InMemoryLease {
    fn duration(&self) -> Option<Duration> {
        Some(self.source.broker.lease)
    }

    async fn extend(&self) -> Result<(), PubSubError> {
        let lease = self.source.broker.lease;
        held(
            self.source
                .step(|topic, group, now| topic.extend(group, self.receipt, now + lease))?,
        )
    }

    async fn acknowledge(mut self: Box<Self>) -> Result<(), PubSubError> {
        self.answered = true;
        held(
            self.source
                .step(|topic, group, now| topic.acknowledge(group, self.receipt, now))?,
        )
    }

    async fn release(
        mut self: Box<Self>,
        delay: Duration,
        count: Attempt,
    ) -> Result<(), PubSubError> {
        self.answered = true;
        held(
            self.source
                .step(|topic, group, now| topic.release(group, self.receipt, now, delay, count))?,
        )
    }
}

impl Drop for InMemoryLease {
    fn drop(&mut self) {
        if !self.answered {
            let _lost = self.source.step(|topic, group, now| {
                topic.release(group, self.receipt, now, Duration::ZERO, Attempt::Counted)
            });
        }
    }
}

#[cfg(test)]
async fn open_for_test() -> crate::conformance::Subject<dyn PubSub> {
    crate::conformance::Subject::new(Arc::new(Broker::new(Duration::from_secs(1), 1_000)))
}

#[cfg(test)]
crate::pubsub_conformance!(conformance: open_for_test);
