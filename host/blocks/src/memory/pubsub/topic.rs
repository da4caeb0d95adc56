//! One topic: its messages and what each group has done with them. No clock and no lock of its own.

use super::group::{Group, Receipt};
use crate::{
    clock,
    pubsub::{Attempt, OutboundMessage, PubSubError, StoredMessage, TopicDepth},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// Number of a message: its place in the topic.
pub(super) type Place = u64;

/// Shortest time between two sweeps of a full topic.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Topic {
    messages: BTreeMap<Place, Message>,
    groups: HashMap<String, Group>,
    published: Place,
    leases: u64,
    swept_at: Option<Instant>,
}

pub(super) struct Message {
    stored: StoredMessage,
    pub(super) partition_key: Option<Arc<str>>,
    expires_at: Option<Instant>,
    /// Readable until then even when every group has it.
    retain_until: Option<Instant>,
}

pub(super) struct Taken {
    pub(super) message: StoredMessage,
    pub(super) attempt: u32,
    pub(super) receipt: Receipt,
}

impl Message {
    pub(super) fn is_live(&self, now: Instant) -> bool {
        self.expires_at.is_none_or(|moment| moment > now)
    }

    fn is_retained(&self, now: Instant) -> bool {
        self.retain_until.is_some_and(|moment| moment > now)
    }
}

impl Topic {
    pub(super) fn publish(
        &mut self,
        message: OutboundMessage,
        most: usize,
        now: Instant,
    ) -> Result<(), PubSubError> {
        if self.messages.len() >= most {
            self.make_room(now);
        }
        if self.messages.len() >= most {
            let name = message.topic;
            return Err(PubSubError::Unavailable(format!(
                "topic \"{name}\" is full: {most} messages wait in it"
            )));
        }
        self.published += 1;
        let stored = StoredMessage {
            id: self.published.to_string(),
            data: message.data,
            content_type: Some(message.content_type).filter(|text| !text.is_empty()),
            metadata: message.metadata,
            published_at: clock::now(),
        };
        let message = Message {
            stored,
            partition_key: message.partition_key.map(Into::into),
            expires_at: message.ttl.and_then(|ttl| now.checked_add(ttl)),
            retain_until: message.retain.and_then(|retain| now.checked_add(retain)),
        };
        self.messages.insert(self.published, message);
        for group in self.groups.values() {
            group.wake.notify_waiters();
        }
        Ok(())
    }

    /// Removes what nobody will be given; without groups the oldest message, since it may never be read.
    fn make_room(&mut self, now: Instant) {
        if self.groups.is_empty() {
            self.messages.pop_first();
            return;
        }
        // The sweep looks at every message: publishers who meet a full topic must not make it run each time.
        if self
            .swept_at
            .is_some_and(|swept| now < swept + SWEEP_INTERVAL)
        {
            return;
        }
        self.swept_at = Some(now);
        let groups = &self.groups;
        self.messages
            .retain(|place, message| message.is_live(now) && !is_done(groups, *place));
    }

    pub(super) fn join(&mut self, group: &str) -> Arc<Notify> {
        self.groups
            .entry(group.to_owned())
            .or_default()
            .wake
            .clone()
    }

    pub(super) fn take(
        &mut self,
        group: &str,
        max: usize,
        lease: Duration,
        now: Instant,
    ) -> Vec<Taken> {
        let Some(own) = self.groups.get_mut(group) else {
            return Vec::new();
        };
        own.advance(&self.messages, now);
        let (ready, gone) = own.ready(&self.messages, max, now);
        let mut taken = Vec::with_capacity(ready.len());
        for place in ready {
            let Some(message) = self.messages.get(&place) else {
                continue;
            };
            // Two messages of one key are never both first, so that leasing one cannot make another unready.
            self.leases += 1;
            let (receipt, attempt) = own.lease(place, self.leases, now + lease);
            taken.push(Taken {
                message: message.stored.clone(),
                attempt,
                receipt,
            });
        }
        for place in &gone {
            own.forget(*place, self.messages.get(place));
        }
        for place in gone {
            self.discard(place, now);
        }
        taken
    }

    pub(super) fn wake_at(&self, group: &str, now: Instant) -> Option<Instant> {
        self.groups.get(group)?.wake_at(now)
    }

    pub(super) fn extend(&mut self, group: &str, receipt: Receipt, until: Instant) -> bool {
        self.groups
            .get_mut(group)
            .is_some_and(|group| group.extend(receipt, until))
    }

    pub(super) fn acknowledge(&mut self, group: &str, receipt: Receipt, now: Instant) -> bool {
        let message = self.messages.get(&receipt.place);
        let held = self
            .groups
            .get_mut(group)
            .is_some_and(|group| group.acknowledge(receipt, message));
        self.discard(receipt.place, now);
        held
    }

    pub(super) fn release(
        &mut self,
        group: &str,
        receipt: Receipt,
        now: Instant,
        delay: Duration,
        count: Attempt,
    ) -> bool {
        self.groups
            .get_mut(group)
            .is_some_and(|group| group.release(receipt, now, delay, count))
    }

    /// Removes a message that every group is through with, unless people may still want to read it.
    fn discard(&mut self, place: Place, now: Instant) {
        let unread = self
            .messages
            .get(&place)
            .is_some_and(|message| message.is_live(now) && message.is_retained(now));
        if !unread && is_done(&self.groups, place) {
            self.messages.remove(&place);
        }
    }

    pub(super) fn browse(
        &self,
        after: Option<Place>,
        limit: u32,
        now: Instant,
    ) -> Vec<StoredMessage> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let after = after.map_or(0, |after| after.saturating_add(1));
        let live = self
            .messages
            .range(after..)
            .filter(|(_, message)| message.is_live(now));
        live.take(limit)
            .map(|(_, message)| message.stored.clone())
            .collect()
    }

    pub(super) fn remove(&mut self, place: Place) -> bool {
        let removed = self.messages.remove(&place);
        for group in self.groups.values_mut() {
            group.forget(place, removed.as_ref());
        }
        removed.is_some()
    }

    pub(super) fn depths(&mut self, topic: &str, now: Instant) -> Vec<TopicDepth> {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let depth = |group: Option<&String>, waiting, in_flight| TopicDepth {
            topic: topic.to_owned(),
            group: group.cloned(),
            waiting: count(waiting),
            in_flight: count(in_flight),
        };
        let is_live = |message: &Message| message.is_live(now);
        if self.groups.is_empty() {
            let stored = self
                .messages
                .values()
                .filter(|message| is_live(message))
                .count();
            return vec![depth(None, stored, 0)];
        }
        for group in self.groups.values_mut() {
            group.advance(&self.messages, now);
        }
        let groups = self.groups.iter().map(|(name, group)| {
            let seen = group
                .waiting
                .keys()
                .filter_map(|place| self.messages.get(place));
            let unseen = self
                .messages
                .range(group.cursor..)
                .map(|(_, message)| message);
            let waiting = seen
                .chain(unseen)
                .filter(|message| is_live(message))
                .count();
            depth(Some(name), waiting, group.leased.len())
        });
        groups.collect()
    }
}

fn is_done(groups: &HashMap<String, Group>, place: Place) -> bool {
    !groups.is_empty() && groups.values().all(|group| group.is_done(place))
}
