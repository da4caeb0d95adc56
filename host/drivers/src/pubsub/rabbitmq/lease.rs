//! The right to handle one message.

use super::{message::Received, session::Session};
use async_trait::async_trait;
use berth_blocks::pubsub::{Attempt, Lease, PubSubError};
use std::{sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

/// Holds for as long as the channel that the message came on.
#[derive(Debug)]
pub(super) struct RabbitLease {
    session: Arc<Session>,
    /// Absent once it is answered for.
    received: Option<Received>,
    /// Counts against the consumer's prefetch.
    _place: OwnedSemaphorePermit,
}

impl RabbitLease {
    pub(super) fn new(
        session: Arc<Session>,
        received: Received,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            session,
            received: Some(received),
            _place: place,
        }
    }

    fn give_back(&mut self, delay: Duration, count: Attempt) {
        if let Some(mut received) = self.received.take() {
            if count == Attempt::Counted {
                received.attempt = received.attempt.saturating_add(1);
            }
            self.session.give_back(received, delay);
        }
    }
}

#[async_trait]
impl Lease for RabbitLease {
    fn duration(&self) -> Option<Duration> {
        None
    }

    async fn extend(&self) -> Result<(), PubSubError> {
        if self.session.is_up() {
            return Ok(());
        }
        Err(PubSubError::Unavailable(
            "the connection that the message came on is lost, and it comes again".to_owned(),
        ))
    }

    async fn acknowledge(mut self: Box<Self>) -> Result<(), PubSubError> {
        let Some(received) = self.received.take() else {
            return Ok(());
        };
        // Cancelled or failed, it is not given back: the acknowledgement may be on its way, or the channel has ended.
        self.session.acknowledge(received.tag).await
    }

    async fn release(
        mut self: Box<Self>,
        delay: Duration,
        count: Attempt,
    ) -> Result<(), PubSubError> {
        self.give_back(delay, count);
        Ok(())
    }
}

/// Without an answer the message comes again at once.
impl Drop for RabbitLease {
    fn drop(&mut self) {
        self.give_back(Duration::ZERO, Attempt::Counted);
    }
}
