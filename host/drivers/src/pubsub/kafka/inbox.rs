//! What a member of a group holds of its partitions: which messages wait, which are leased, and up to where each
//! partition is finished. No Kafka in here.

use super::record::{self, Record};
use berth_blocks::pubsub::Attempt;
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

/// Bytes that are held at most; one message is always held.
const BYTES_MAX: usize = 32 << 20;
/// How far a partition is read past a message that is not finished: what comes again after a crash.
const AHEAD_MAX: i64 = 10_000;

/// Names a message in the order in which it came; never given twice, so that it names its lease as well.
pub(super) type Place = u64;

/// The messages that a member holds.
#[derive(Debug)]
pub(super) struct Inbox {
    partitions: HashMap<i32, Partition>,
    waiting: BTreeMap<Place, Waiting>,
    leased: HashMap<Place, Held>,
    /// What is waiting or leased, by key: only the first of each is handed out.
    keys: HashMap<Bytes, BTreeSet<Place>>,
    next: Place,
    bytes: usize,
    /// Messages of one partition that are held at most.
    buffer: usize,
}

/// One partition, from its assignment to its loss.
#[derive(Debug, Default)]
struct Partition {
    /// Offsets that are held: neither acknowledged nor skipped.
    open: BTreeSet<i64>,
    /// Past the last offset that was read.
    seen: i64,
    /// Where it began, and up to where it was finished when that was last told; absent before the first message.
    told: Option<Told>,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    began: i64,
    finished: i64,
}

impl Partition {
    /// All before this offset is finished.
    fn finished(&self) -> i64 {
        self.open.first().copied().unwrap_or(self.seen)
    }
}

#[derive(Debug)]
struct Held {
    record: Arc<Record>,
    deliveries: u32,
}

#[derive(Debug)]
struct Waiting {
    held: Held,
    not_before: Option<Instant>,
}

/// A message that is handed out.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) place: Place,
    pub(super) record: Arc<Record>,
    /// From 1.
    pub(super) attempt: u32,
}

/// The partition of a lease was given up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost;

/// Up to where a partition is finished now.
pub(super) type Progress = Option<(i32, i64)>;

impl Inbox {
    pub(super) fn new(buffer: usize) -> Self {
        Self {
            partitions: HashMap::new(),
            waiting: BTreeMap::new(),
            leased: HashMap::new(),
            keys: HashMap::new(),
            next: 0,
            bytes: 0,
            buffer,
        }
    }

    /// A partition is ours from now on.
    pub(super) fn assign(&mut self, partition: i32) {
        self.revoke(partition);
        self.partitions.insert(partition, Partition::default());
    }

    /// A partition is no longer ours: its messages are forgotten and its leases void. Up to where it is finished, if
    /// anything was.
    pub(super) fn revoke(&mut self, partition: i32) -> Option<i64> {
        let own = self.partitions.remove(&partition)?;
        let of_partition = |record: &Record| record.partition == partition;
        let waiting: Vec<Place> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| of_partition(&waiting.held.record))
            .map(|(place, _)| *place)
            .collect();
        let leased: Vec<Place> = self
            .leased
            .iter()
            .filter(|(_, held)| of_partition(&held.record))
            .map(|(place, _)| *place)
            .collect();
        for place in waiting {
            if let Some(waiting) = self.waiting.remove(&place) {
                self.forget(place, &waiting.held.record);
            }
        }
        for place in leased {
            if let Some(held) = self.leased.remove(&place) {
                self.forget(place, &held.record);
            }
        }
        let told = own.told.filter(|told| told.finished > told.began);
        told.map(|told| told.finished)
    }

    /// Whether more of a partition may be taken in.
    pub(super) fn wants(&self, partition: i32) -> bool {
        self.partitions.get(&partition).is_some_and(|own| {
            own.open.len() < self.buffer
                && own.seen - own.finished() < AHEAD_MAX
                && self.bytes < BYTES_MAX
        })
    }

    /// Takes a message in. Those of partitions that are not ours are left to whoever has them.
    pub(super) fn admit(&mut self, record: Record) {
        let Some(partition) = self.partitions.get_mut(&record.partition) else {
            return;
        };
        if partition.open.contains(&record.offset) || record.offset < partition.seen {
            return;
        }
        partition.told.get_or_insert(Told {
            began: record.offset,
            finished: record.offset,
        });
        partition.open.insert(record.offset);
        partition.seen = record.offset.saturating_add(1);
        let place = self.next;
        self.next += 1;
        self.bytes += record::size(&record);
        if let Some(key) = &record.key {
            self.keys.entry(key.clone()).or_default().insert(place);
        }
        let held = Held {
            record: Arc::new(record),
            deliveries: 0,
        };
        self.waiting.insert(
            place,
            Waiting {
                held,
                not_before: None,
            },
        );
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn leased(&self) -> usize {
        self.leased.len()
    }

    /// Hands out messages that may be handled now, the oldest first.
    pub(super) fn hand_out(&mut self, max: usize, now: Instant) -> Vec<Handed> {
        let ready: Vec<Place> = self
            .waiting
            .iter()
            .filter(|(place, waiting)| {
                waiting.not_before.is_none_or(|moment| moment <= now)
                    && self.is_first_of_key(**place, &waiting.held.record)
            })
            .take(max)
            .map(|(place, _)| *place)
            .collect();
        ready
            .into_iter()
            .filter_map(|place| self.lease(place))
            .collect()
    }

    fn lease(&mut self, place: Place) -> Option<Handed> {
        let mut held = self.waiting.remove(&place)?.held;
        held.deliveries = held.deliveries.saturating_add(1);
        let handed = Handed {
            place,
            record: held.record.clone(),
            attempt: held.deliveries,
        };
        self.leased.insert(place, held);
        Some(handed)
    }

    fn is_first_of_key(&self, place: Place, record: &Record) -> bool {
        let first = record
            .key
            .as_ref()
            .and_then(|key| self.keys.get(key)?.first());
        first.is_none_or(|first| *first == place)
    }

    /// When a message that waits for its moment may be handed out.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let moments = self.waiting.values();
        moments
            .filter_map(|waiting| waiting.not_before)
            .filter(|moment| *moment > now)
            .min()
    }

    pub(super) fn holds(&self, place: Place) -> bool {
        self.leased.contains_key(&place)
    }

    /// A message is finished.
    pub(super) fn acknowledge(&mut self, place: Place) -> Result<Progress, Lost> {
        let held = self.leased.remove(&place).ok_or(Lost)?;
        self.forget(place, &held.record);
        let number = held.record.partition;
        let Some(partition) = self.partitions.get_mut(&number) else {
            return Err(Lost);
        };
        partition.open.remove(&held.record.offset);
        let finished = partition.finished();
        let Some(told) = &mut partition.told else {
            return Ok(None);
        };
        if finished <= told.finished {
            return Ok(None);
        }
        told.finished = finished;
        Ok(Some((number, finished)))
    }

    /// A message comes again, not before `delay`.
    pub(super) fn release(
        &mut self,
        place: Place,
        delay: Duration,
        count: Attempt,
        now: Instant,
    ) -> Result<(), Lost> {
        let mut held = self.leased.remove(&place).ok_or(Lost)?;
        if count == Attempt::NotCounted {
            held.deliveries = held.deliveries.saturating_sub(1);
        }
        let not_before = (!delay.is_zero()).then(|| now.checked_add(delay)).flatten();
        self.waiting.insert(place, Waiting { held, not_before });
        Ok(())
    }

    /// A message is held no longer: the next one of its key may come.
    fn forget(&mut self, place: Place, record: &Record) {
        self.bytes = self.bytes.saturating_sub(record::size(record));
        let Some(key) = &record.key else { return };
        if let Some(places) = self.keys.get_mut(key) {
            places.remove(&place);
            if places.is_empty() {
                self.keys.remove(key);
            }
        }
    }
}
