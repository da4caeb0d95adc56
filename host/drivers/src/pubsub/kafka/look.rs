//! Looking into topics without taking part in any group. Everything in here blocks.

use super::{connection::Events, record::Record, settings::CALL_TIMEOUT};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::Message,
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// How long all of one look may take.
const LOOK_MAX: Duration = Duration::from_secs(10);
/// Messages that are passed over at a time.
const PASSED: usize = 200;
/// Kafka's own topics, such as `__consumer_offsets`.
const INTERNAL: &str = "__";

/// The next offset of each partition.
pub(super) type Positions = BTreeMap<i32, i64>;
/// First and next offset of each partition, by topic.
pub(super) type Bounds = BTreeMap<String, BTreeMap<i32, (i64, i64)>>;

/// A consumer that belongs to no group.
pub(super) struct Reader {
    kafka: BaseConsumer<Events>,
    deadline: Instant,
}

impl Reader {
    pub(super) fn new(config: &ClientConfig) -> Result<Self, KafkaError> {
        Ok(Self {
            kafka: config.create_with_context(Events::default())?,
            deadline: Instant::now() + LOOK_MAX,
        })
    }

    /// What the brokers hold: of one topic, or of all but Kafka's own. A topic that does not exist holds nothing.
    pub(super) fn bounds(&self, topic: Option<&str>) -> Result<Bounds, KafkaError> {
        let metadata = self.kafka.fetch_metadata(topic, CALL_TIMEOUT)?;
        let mut partitions = TopicPartitionList::new();
        let topics = metadata.topics().iter();
        for found in topics.filter(|found| topic.is_some() || !found.name().starts_with(INTERNAL)) {
            for partition in found.partitions() {
                partitions.add_partition(found.name(), partition.id());
            }
        }
        if partitions.count() == 0 {
            return Ok(Bounds::new());
        }
        let (first, next) = (
            self.ends(partitions.clone(), Offset::Beginning)?,
            self.ends(partitions, Offset::End)?,
        );
        let mut bounds = Bounds::new();
        for ((topic, partition), first) in first {
            if let Some(next) = next.get(&(topic.clone(), partition)) {
                let own = bounds.entry(topic).or_default();
                own.insert(partition, (first, *next));
            }
        }
        Ok(bounds)
    }

    /// Asks all brokers at once, where one question per partition would take long.
    fn ends(
        &self,
        mut partitions: TopicPartitionList,
        end: Offset,
    ) -> Result<BTreeMap<(String, i32), i64>, KafkaError> {
        partitions.set_all_offsets(end)?;
        let found = self.kafka.offsets_for_times(partitions, CALL_TIMEOUT)?;
        let elements = found.elements();
        let known = elements.iter().filter_map(|own| match own.offset() {
            Offset::Offset(offset) => Some(((own.topic().to_owned(), own.partition()), offset)),
            _ => None,
        });
        Ok(known.collect())
    }

    /// The messages after those before `positions`, in the order of their moments, and the positions after them.
    /// Partitions keep their order, whatever the clocks of their publishers said.
    pub(super) fn page(
        &self,
        topic: &str,
        positions: &mut Positions,
        ends: &BTreeMap<i32, (i64, i64)>,
        limit: usize,
    ) -> Result<Vec<Record>, KafkaError> {
        let mut heads = self.read(topic, positions, ends, limit)?;
        let mut page = Vec::new();
        while page.len() < limit {
            let first = heads
                .iter()
                .filter_map(|(partition, own)| Some((own.front()?.timestamp, *partition)))
                .min();
            let Some((_, partition)) = first else { break };
            if let Some(record) = heads.get_mut(&partition).and_then(VecDeque::pop_front) {
                positions.insert(partition, record.offset.saturating_add(1));
                page.push(record);
            }
        }
        Ok(page)
    }

    /// At most `limit` messages of each partition.
    fn read(
        &self,
        topic: &str,
        positions: &Positions,
        ends: &BTreeMap<i32, (i64, i64)>,
        limit: usize,
    ) -> Result<BTreeMap<i32, VecDeque<Record>>, KafkaError> {
        let mut assignment = TopicPartitionList::new();
        let mut unread: BTreeMap<i32, i64> = BTreeMap::new();
        for (partition, (first, next)) in ends {
            let from = positions
                .get(partition)
                .copied()
                .unwrap_or(*first)
                .max(*first);
            if from < *next {
                assignment.add_partition_offset(topic, *partition, Offset::Offset(from))?;
                unread.insert(*partition, *next);
            }
        }
        let mut read: BTreeMap<i32, VecDeque<Record>> = BTreeMap::new();
        if unread.is_empty() {
            return Ok(read);
        }
        self.kafka.assign(&assignment)?;
        while !unread.is_empty() {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(KafkaError::MessageConsumption(Code::OperationTimedOut));
            }
            match self.kafka.poll(left) {
                None => {}
                Some(Ok(message)) => {
                    let partition = message.partition();
                    let Some(next) = unread.get(&partition) else {
                        continue;
                    };
                    let own = read.entry(partition).or_default();
                    own.push_back(Record::read(&message));
                    if own.len() >= limit || message.offset() + 1 >= *next {
                        unread.remove(&partition);
                    }
                }
                // Compaction may have taken the last messages before the end.
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(unread.remove(&partition)),
                Some(Err(error)) if passes(&error) => {}
                Some(Err(error)) => return Err(error),
            }
        }
        self.kafka.unassign()?;
        Ok(read)
    }

    /// The positions after the message with this ID, found from the beginning; `None`: it is not there.
    pub(super) fn find(
        &self,
        topic: &str,
        ends: &BTreeMap<i32, (i64, i64)>,
        id: (i32, i64),
    ) -> Result<Option<Positions>, KafkaError> {
        let mut positions = Positions::new();
        loop {
            let mut before = positions.clone();
            let page = self.page(topic, &mut positions, ends, PASSED)?;
            if page.is_empty() {
                return Ok(None);
            }
            for record in page {
                before.insert(record.partition, record.offset.saturating_add(1));
                if (record.partition, record.offset) == id {
                    return Ok(Some(before));
                }
            }
        }
    }
}

fn passes(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(
        code,
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve)
    )
}

/// Up to where a group is finished with a topic; partitions that it never committed are absent.
pub(super) fn committed(
    config: &ClientConfig,
    topic: &str,
    partitions: &BTreeMap<i32, (i64, i64)>,
) -> Result<BTreeMap<i32, i64>, KafkaError> {
    let kafka: BaseConsumer<Events> = config.create_with_context(Events::default())?;
    let mut list = TopicPartitionList::new();
    for partition in partitions.keys() {
        list.add_partition(topic, *partition);
    }
    let list = kafka.committed_offsets(list, CALL_TIMEOUT)?;
    let elements = list.elements();
    let known = elements.iter().filter_map(|own| match own.offset() {
        Offset::Offset(offset) => Some((own.partition(), offset)),
        _ => None,
    });
    Ok(known.collect())
}

/// Partition and offset of a message's ID.
pub(super) fn id(text: &str) -> Option<(i32, i64)> {
    let (partition, offset) = text.split_once('-')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}
