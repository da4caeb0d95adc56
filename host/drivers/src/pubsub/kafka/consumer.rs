//! A subscription, and the leases of its messages.

use super::{
    inbox::{Handed, Place},
    member::Member,
};
use async_trait::async_trait;
use berth_blocks::pubsub::{Attempt, Consumer, InboundMessage, Lease, PubSubError};
use std::{fmt, sync::Arc, time::Duration};

/// A running subscription.
pub(super) struct KafkaConsumer {
    pub(super) member: Arc<Member>,
    /// Messages that may be leased at the same time.
    pub(super) prefetch: usize,
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        self.member.leave();
    }
}

#[async_trait]
impl Consumer for KafkaConsumer {
    async fn receive(&mut self, max: usize) -> Result<Vec<InboundMessage>, PubSubError> {
        let handed = self.member.receive(max, self.prefetch).await?;
        Ok(handed.into_iter().map(|own| self.inbound(own)).collect())
    }
}

impl KafkaConsumer {
    fn inbound(&self, handed: Handed) -> InboundMessage {
        let Handed {
            place,
            record,
            attempt,
        } = handed;
        let escape = self.member.delivery.escape_headers;
        InboundMessage {
            id: record.id(),
            data: record.data.clone(),
            content_type: record.content_type(),
            metadata: record.metadata(&self.member.topic, escape),
            attempt,
            published_at: record.published_at(),
            lease: Box::new(KafkaLease {
                member: Arc::clone(&self.member),
                place,
                settled: false,
            }),
        }
    }
}

/// The right to handle a message, for as long as its partition is ours.
struct KafkaLease {
    member: Arc<Member>,
    place: Place,
    settled: bool,
}

impl fmt::Debug for KafkaLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaLease")
            .field("topic", &self.member.topic)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Lease for KafkaLease {
    fn duration(&self) -> Option<Duration> {
        None
    }

    async fn extend(&self) -> Result<(), PubSubError> {
        self.member.holds(self.place)
    }

    async fn acknowledge(mut self: Box<Self>) -> Result<(), PubSubError> {
        self.settled = true;
        self.member.acknowledge(self.place)
    }

    async fn release(
        mut self: Box<Self>,
        delay: Duration,
        count: Attempt,
    ) -> Result<(), PubSubError> {
        self.settled = true;
        self.member.release(self.place, delay, count)
    }
}

impl Drop for KafkaLease {
    fn drop(&mut self) {
        if !self.settled {
            // A lease that is void already is what was wanted.
            let _ = self
                .member
                .release(self.place, Duration::ZERO, Attempt::Counted);
        }
    }
}
