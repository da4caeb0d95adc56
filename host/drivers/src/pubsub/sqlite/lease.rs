//! The right to handle one message for a while.

use super::{
    broker::Broker,
    settle::{self, Freed},
    tables::{GroupId, MessageId, TopicId},
};
use async_trait::async_trait;
use berth_blocks::pubsub::{Attempt, InboundMessage, Lease, PubSubError};
use bytes::Bytes;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::OwnedSemaphorePermit;

/// Which message, for which group, by which claim.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    pub(super) group: GroupId,
    pub(super) topic: TopicId,
    pub(super) message: MessageId,
    /// The host's run that claimed it.
    pub(super) run: i64,
    /// Its number in that run; a later claim makes this one void.
    pub(super) claim: i64,
}

/// What every lease of a consumer has in common.
#[derive(Debug, Clone)]
pub(super) struct LeaseTerms {
    pub(super) broker: Arc<Broker>,
    /// The owner.
    pub(super) run: i64,
    pub(super) topic: TopicId,
    pub(super) group: GroupId,
    pub(super) duration: Duration,
}

impl LeaseTerms {
    pub(super) fn lease(&self, ticket: Ticket, place: OwnedSemaphorePermit) -> SqliteLease {
        SqliteLease {
            broker: self.broker.clone(),
            ticket,
            duration: self.duration,
            progress: Progress::Fetched,
            _place: place,
        }
    }
}

/// A claimed message that its consumer has not been given yet.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) lease: SqliteLease,
    pub(super) data: Bytes,
    pub(super) content_type: String,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) attempt: u32,
    pub(super) published_at: SystemTime,
}

impl Fetched {
    /// Hands it over: from here on a dropped lease counts as an attempt.
    pub(super) fn into_inbound(mut self) -> InboundMessage {
        self.lease.progress = Progress::Received;
        InboundMessage {
            id: self.lease.ticket.message.0.to_string(),
            data: self.data,
            content_type: Some(self.content_type),
            metadata: self.metadata,
            attempt: self.attempt,
            published_at: Some(self.published_at),
            lease: Box::new(self.lease),
        }
    }
}

/// How far a lease has come; decides what its drop does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Claimed, but the consumer went away before it got it.
    Fetched,
    /// With the handler.
    Received,
    /// Answered.
    Settled,
}

/// A lease in the table of pending messages.
#[derive(Debug)]
pub(super) struct SqliteLease {
    broker: Arc<Broker>,
    ticket: Ticket,
    duration: Duration,
    progress: Progress,
    /// Counts against the consumer's prefetch.
    _place: OwnedSemaphorePermit,
}

#[async_trait]
impl Lease for SqliteLease {
    fn duration(&self) -> Option<Duration> {
        Some(self.duration)
    }

    async fn extend(&self) -> Result<(), PubSubError> {
        let (ticket, duration) = (self.ticket, self.duration);
        let extend = self.broker.lease(
            move |transaction| settle::extend(transaction, ticket, duration),
            |_, ()| (),
        );
        extend.await
    }

    async fn acknowledge(mut self: Box<Self>) -> Result<(), PubSubError> {
        let ticket = self.ticket;
        let acknowledge = self.broker.write(
            move |transaction| settle::acknowledge(transaction, ticket),
            move |broker, freed| {
                if *freed == Freed::Next {
                    broker.wake(ticket.topic);
                }
            },
        );
        acknowledge.await?;
        self.progress = Progress::Settled;
        Ok(())
    }

    async fn release(
        mut self: Box<Self>,
        delay: Duration,
        count: Attempt,
    ) -> Result<(), PubSubError> {
        release(&self.broker, self.ticket, delay, count).await?;
        self.progress = Progress::Settled;
        Ok(())
    }
}

/// Waiting consumers look again, if only to learn when the message is due.
async fn release(
    broker: &Arc<Broker>,
    ticket: Ticket,
    delay: Duration,
    count: Attempt,
) -> Result<(), PubSubError> {
    let release = broker.lease(
        move |transaction| Ok(settle::release(transaction, ticket, delay, count)?),
        move |broker, ()| broker.wake(ticket.topic),
    );
    release.await
}

/// Without an answer the message comes again at once; if even that fails, when the lease runs out.
impl Drop for SqliteLease {
    fn drop(&mut self) {
        let count = match self.progress {
            Progress::Settled => return,
            Progress::Fetched => Attempt::NotCounted,
            Progress::Received => Attempt::Counted,
        };
        let (broker, ticket) = (self.broker.clone(), self.ticket);
        self.broker.runtime.spawn(async move {
            if let Err(error) = release(&broker, ticket, Duration::ZERO, count).await {
                tracing::debug!(%error, message = ticket.message.0, "handing a message back");
            }
        });
    }
}
