//! One consumer group of a topic: which messages wait, which are leased, which must wait for another.

use super::topic::{Message, Place};
use crate::pubsub::Attempt;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// Messages that a group looks ahead past those that it may not have yet.
const LOOKAHEAD: usize = 1_000;

#[derive(Default)]
pub(super) struct Group {
    /// The first message that the group has not looked at.
    pub(super) cursor: Place,
    pub(super) waiting: BTreeMap<Place, Waiting>,
    pub(super) leased: BTreeMap<Place, Leased>,
    /// What is waiting or leased, by partition key: only the first of each may be delivered.
    keys: HashMap<Arc<str>, BTreeSet<Place>>,
    pub(super) wake: Arc<Notify>,
}

#[derive(Default)]
pub(super) struct Waiting {
    deliveries: u32,
    not_before: Option<Instant>,
}

pub(super) struct Leased {
    deliveries: u32,
    until: Instant,
    number: u64,
}

/// Names one lease of one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receipt {
    pub(super) place: Place,
    number: u64,
}

impl Group {
    /// Whether the group is through with a message.
    pub(super) fn is_done(&self, place: Place) -> bool {
        place < self.cursor
            && !self.waiting.contains_key(&place)
            && !self.leased.contains_key(&place)
    }

    /// Moves leases that ran out back, and messages of the topic that nobody has looked at to the waiting ones.
    pub(super) fn advance(&mut self, messages: &BTreeMap<Place, Message>, now: Instant) {
        let lapsed: Vec<Place> = self
            .leased
            .iter()
            .filter(|(_, lease)| lease.until <= now)
            .map(|(place, _)| *place)
            .collect();
        for place in lapsed {
            if let Some(lease) = self.leased.remove(&place) {
                self.waiting.insert(
                    place,
                    Waiting {
                        deliveries: lease.deliveries,
                        not_before: None,
                    },
                );
            }
        }
        let room = LOOKAHEAD.saturating_sub(self.waiting.len());
        for (place, message) in messages.range(self.cursor..).take(room) {
            self.waiting.insert(*place, Waiting::default());
            if let Some(key) = &message.partition_key {
                self.keys.entry(key.clone()).or_default().insert(*place);
            }
            self.cursor = place + 1;
        }
    }

    /// Messages that may be delivered now, and those that are gone from the topic or expired.
    pub(super) fn ready(
        &self,
        messages: &BTreeMap<Place, Message>,
        max: usize,
        now: Instant,
    ) -> (Vec<Place>, Vec<Place>) {
        let (mut ready, mut gone) = (Vec::new(), Vec::new());
        for (place, waiting) in &self.waiting {
            if ready.len() >= max {
                break;
            }
            match messages.get(place).filter(|message| message.is_live(now)) {
                None => gone.push(*place),
                Some(message) => {
                    if waiting.not_before.is_none_or(|moment| moment <= now)
                        && self.is_first(*place, message)
                    {
                        ready.push(*place);
                    }
                }
            }
        }
        (ready, gone)
    }

    fn is_first(&self, place: Place, message: &Message) -> bool {
        let before = message
            .partition_key
            .as_ref()
            .and_then(|key| self.keys.get(key)?.first());
        before.is_none_or(|first| *first == place)
    }

    /// Leases a message; the number of this delivery, from 1.
    pub(super) fn lease(&mut self, place: Place, number: u64, until: Instant) -> (Receipt, u32) {
        let before = self.waiting.remove(&place).unwrap_or_default();
        let deliveries = before.deliveries.saturating_add(1);
        self.leased.insert(
            place,
            Leased {
                deliveries,
                until,
                number,
            },
        );
        (Receipt { place, number }, deliveries)
    }

    fn held(&mut self, receipt: Receipt) -> Option<&mut Leased> {
        self.leased
            .get_mut(&receipt.place)
            .filter(|lease| lease.number == receipt.number)
    }

    pub(super) fn extend(&mut self, receipt: Receipt, until: Instant) -> bool {
        self.held(receipt)
            .map(|lease| lease.until = until)
            .is_some()
    }

    /// Ends a lease; `false` if it was lost.
    pub(super) fn acknowledge(&mut self, receipt: Receipt, message: Option<&Message>) -> bool {
        let held = self.held(receipt).is_some();
        if held {
            self.forget(receipt.place, message);
        }
        held
    }

    pub(super) fn release(
        &mut self,
        receipt: Receipt,
        now: Instant,
        delay: Duration,
        count: Attempt,
    ) -> bool {
        let Some(lease) = self.held(receipt) else {
            return false;
        };
        let deliveries = match count {
            Attempt::Counted => lease.deliveries,
            Attempt::NotCounted => lease.deliveries.saturating_sub(1),
        };
        self.leased.remove(&receipt.place);
        let not_before = if delay.is_zero() {
            None
        } else {
            now.checked_add(delay)
        };
        self.waiting.insert(
            receipt.place,
            Waiting {
                deliveries,
                not_before,
            },
        );
        self.wake.notify_waiters();
        true
    }

    /// The group is through with a message: the next one of its key may come.
    pub(super) fn forget(&mut self, place: Place, message: Option<&Message>) {
        self.waiting.remove(&place);
        self.leased.remove(&place);
        let key = message.and_then(|message| message.partition_key.as_ref());
        match key {
            Some(key) => {
                if let Some(places) = self.keys.get_mut(key) {
                    places.remove(&place);
                    if places.is_empty() {
                        self.keys.remove(key);
                    }
                    self.wake.notify_waiters();
                }
            }
            // The message is gone from the topic, and its key with it.
            None if message.is_none() => self.keys.retain(|_, places| {
                places.remove(&place);
                !places.is_empty()
            }),
            None => {}
        }
    }

    /// When something changes without anybody doing anything.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let delayed = self
            .waiting
            .values()
            .filter_map(|waiting| waiting.not_before);
        let leases = self.leased.values().map(|lease| lease.until);
        delayed.filter(|moment| *moment > now).chain(leases).min()
    }
}
