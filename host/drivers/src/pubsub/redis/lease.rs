//! The right to handle one message for a while.

use super::{entry::Entry, id::StreamId, member::Member};
use async_trait::async_trait;
use berth_blocks::pubsub::{Attempt, InboundMessage, Lease, PubSubError};
use std::{sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

/// A message that is pending in its group under the name of this host's consumer.
#[derive(Debug)]
pub(super) struct RedisLease {
    member: Arc<Member>,
    id: StreamId,
    deliveries: u64,
    is_settled: bool,
    /// Counts against the consumer's prefetch.
    _place: OwnedSemaphorePermit,
}

/// A message for its handler.
pub(super) fn inbound(
    entry: Entry,
    member: &Arc<Member>,
    place: OwnedSemaphorePermit,
) -> InboundMessage {
    InboundMessage {
        id: entry.id.to_string(),
        data: entry.data,
        content_type: entry.content_type,
        metadata: entry.metadata,
        attempt: u32::try_from(entry.deliveries).unwrap_or(u32::MAX),
        published_at: Some(entry.id.added_at()),
        lease: Box::new(RedisLease {
            member: member.clone(),
            id: entry.id,
            deliveries: entry.deliveries,
            is_settled: false,
            _place: place,
        }),
    }
}

#[async_trait]
impl Lease for RedisLease {
    fn duration(&self) -> Option<Duration> {
        self.member.lease_duration()
    }

    async fn extend(&self) -> Result<(), PubSubError> {
        self.member.extend(self.id, self.deliveries).await
    }

    async fn acknowledge(mut self: Box<Self>) -> Result<(), PubSubError> {
        self.member.acknowledge(self.id).await?;
        self.is_settled = true;
        Ok(())
    }

    async fn release(
        mut self: Box<Self>,
        delay: Duration,
        count: Attempt,
    ) -> Result<(), PubSubError> {
        let (id, deliveries) = (self.id, self.deliveries);
        self.member.release(id, deliveries, delay, count).await?;
        self.is_settled = true;
        Ok(())
    }
}

/// Without an answer the message comes again at once.
impl Drop for RedisLease {
    fn drop(&mut self) {
        if !self.is_settled {
            let member = &self.member;
            member.release_later(self.id, self.deliveries, Attempt::Counted);
        }
    }
}
