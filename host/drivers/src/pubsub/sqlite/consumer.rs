//! A member of a consumer group.

use super::{
    broker::Broker,
    claim::{self, Claimed},
    lease::{Fetched, LeaseTerms},
    publish,
    tables::{Answer, GroupId, TopicId, now_millis},
};
use async_trait::async_trait;
use berth_blocks::pubsub::{Consumer, InboundMessage, PubSubError, SubscribeRequest};
use rusqlite::Transaction;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The longest sleep of a consumer that nobody wakes: a net under clocks that jump.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// A running subscription.
pub(super) struct SqliteConsumer {
    terms: LeaseTerms,
    prefetch: usize,
    /// Places for leases; each lease holds one.
    places: Arc<Semaphore>,
}

impl SqliteConsumer {
    /// Makes topic and group if they are not there.
    pub(super) async fn join(
        broker: &Arc<Broker>,
        request: &SubscribeRequest,
        duration: Duration,
    ) -> Result<Self, PubSubError> {
        let (topic, group) = (request.topic.clone(), request.group.clone());
        let join = broker
            .database
            .write(move |transaction| join_group(transaction, &topic, &group));
        let (topic, group) = join.await?;
        let run = broker.run().await?;
        let prefetch = request.prefetch.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            terms: LeaseTerms {
                broker: broker.clone(),
                run,
                topic,
                group,
                duration,
            },
            prefetch,
            places: Arc::new(Semaphore::new(prefetch)),
        })
    }

    /// Waits for one free place and takes what else is free, at most `max`.
    async fn free_places(&self, max: usize) -> Result<OwnedSemaphorePermit, PubSubError> {
        let closed = |_| PubSubError::Other("the subscription has ended".to_owned());
        let mut places = self.places.clone().acquire_owned().await.map_err(closed)?;
        let more = self.places.available_permits().min(max.saturating_sub(1));
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if let Ok(more) = self.places.clone().try_acquire_many_owned(more) {
            places.merge(more);
        }
        Ok(places)
    }

    async fn claim(&self, places: OwnedSemaphorePermit) -> Result<Claimed, PubSubError> {
        let terms = self.terms.clone();
        let claim = self.terms.broker.lease(
            move |transaction| claim::claim(transaction, &terms, places),
            |_, _| (),
        );
        claim.await
    }
}

fn join_group(
    transaction: &Transaction<'_>,
    topic: &str,
    group: &str,
) -> Answer<(TopicId, GroupId)> {
    let topic = publish::topic(transaction, topic)?;
    transaction.execute(
        "INSERT INTO pubsub_group (topic, name, cursor, blocked) VALUES (?1, ?2, 0, 0)
         ON CONFLICT (topic, name) DO NOTHING",
        (topic.0, group),
    )?;
    let group = transaction.query_row(
        "SELECT id FROM pubsub_group WHERE topic = ?1 AND name = ?2",
        (topic.0, group),
        |row| row.get(0).map(GroupId),
    )?;
    Ok((topic, group))
}

/// How long to sleep when the next message is due at `next_at`.
fn sleep_until(next_at: Option<i64>) -> Duration {
    let Some(next_at) = next_at else {
        return SLEEP_MAX;
    };
    let millis = next_at.saturating_sub(now_millis()).max(1);
    Duration::from_millis(millis.unsigned_abs()).min(SLEEP_MAX)
}

#[async_trait]
impl Consumer for SqliteConsumer {
    /// Dropped while it waits, it has taken nothing, or what the claim took hands itself back.
    async fn receive(&mut self, max: usize) -> Result<Vec<InboundMessage>, PubSubError> {
        let waiting = self.terms.broker.waiting(self.terms.topic);
        let max = max.clamp(1, self.prefetch);
        loop {
            // Before the claim, so that what is published after it is noticed.
            let mut woken = pin!(waiting.notified());
            woken.as_mut().enable();
            let places = self.free_places(max).await?;
            let claimed = self.claim(places).await?;
            if !claimed.messages.is_empty() {
                let messages = claimed.messages.into_iter();
                return Ok(messages.map(Fetched::into_inbound).collect());
            }
            if !claimed.more {
                drop(tokio::time::timeout(sleep_until(claimed.next_at), woken).await);
            }
        }
    }
}
