//! A member of a consumer group: one librdkafka consumer, whose thread serves the group for as long as the member
//! lives, and whose messages are taken from librdkafka's queues only when somebody wants them.
//!
//! Each partition has a queue of its own, so that the thread can go on serving rebalances while messages wait: a slow
//! handler is never thrown out of its group, and what librdkafka fetches ahead is bounded by its own settings.

use super::{
    connection::log,
    error::{Trouble, pubsub_error},
    inbox::{Handed, Inbox, Lost, Place},
    record::Record,
    settings::{CALL_TIMEOUT, COMMIT_INTERVAL, Delivery},
};
use berth_blocks::pubsub::{Attempt, PubSubError};
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{
        BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance,
        base_consumer::PartitionQueue,
    },
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Notify, oneshot};

/// How long the thread sleeps when nothing happens, and how long a member takes to notice that it is to leave.
const POLL: Duration = Duration::from_millis(250);

/// A member, shared by its consumer, its thread and its leases.
pub(super) struct Member {
    pub(super) topic: String,
    pub(super) group: String,
    pub(super) brokers: String,
    pub(super) delivery: Delivery,
    state: Mutex<State>,
    /// Whoever waits for messages looks again.
    wake: Arc<Notify>,
    /// The group has dealt out its partitions, or says why it does not.
    dealt: Notify,
    trouble: Arc<Trouble>,
}

struct State {
    inbox: Inbox,
    /// Absent before the start and after the end. Only the thread has a clone, so that it is the one who closes it,
    /// which takes its time.
    kafka: Option<Arc<BaseConsumer<GroupEvents>>>,
    queues: Vec<(i32, PartitionQueue<GroupEvents>)>,
    /// Which queue is looked at first.
    turn: usize,
    failure: Option<PubSubError>,
    /// When an offset was last committed ahead of librdkafka's own rhythm.
    committed: Option<Instant>,
    /// The consumer is gone: the member leaves once its leases are settled.
    leaving: bool,
}

impl Member {
    /// A member that has not joined yet.
    pub(super) fn new(
        topic: String,
        group: String,
        brokers: String,
        delivery: Delivery,
    ) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                inbox: Inbox::new(delivery.buffer),
                kafka: None,
                queues: Vec::new(),
                turn: 0,
                failure: None,
                committed: None,
                leaving: false,
            }),
            topic,
            group,
            brokers,
            delivery,
            wake: Arc::default(),
            dealt: Notify::new(),
            trouble: Arc::default(),
        })
    }

    /// Joins the group, and waits for a while until it has dealt out its partitions: who publishes after this is heard,
    /// and no rebalance of this member's making follows. A group that takes longer goes on without the wait.
    pub(super) async fn join(self: &Arc<Self>, config: ClientConfig) -> Result<(), PubSubError> {
        let (started, starts) = oneshot::channel();
        let own = Arc::clone(self);
        let thread = std::thread::Builder::new().name("kafka-member".to_owned());
        thread
            .spawn(move || own.serve(&config, started))
            .map_err(|error| PubSubError::Other(format!("starting a consumer: {error}")))?;
        let ended = |_| PubSubError::Other("the consumer has ended".to_owned());
        starts.await.map_err(ended)??;
        // Either way the member goes on.
        let _ = tokio::time::timeout(CALL_TIMEOUT, self.dealt.notified()).await;
        Ok(())
    }

    /// The thread: serves the group until the member leaves.
    fn serve(
        self: Arc<Self>,
        config: &ClientConfig,
        started: oneshot::Sender<Result<(), PubSubError>>,
    ) {
        let kafka = match self.start(config) {
            Ok(kafka) => kafka,
            Err(error) => {
                self.end();
                // Whoever joined may have gone away.
                let _ = started.send(Err(pubsub_error("joining the group", &error)));
                return;
            }
        };
        // Whoever joined has gone away if nobody hears this, and the member leaves.
        let _ = started.send(Ok(()));
        while !self.is_over() {
            match kafka.poll(POLL) {
                None => {}
                // Queues are split off before their partition is read, so that none comes this way.
                Some(Ok(message)) => self.state.lock().inbox.admit(Record::read(&message)),
                Some(Err(error)) => self.fail(&error),
            }
        }
        self.end();
        // The last one: commits, leaves the group and waits until both is done.
        drop(kafka);
    }

    fn start(
        self: &Arc<Self>,
        config: &ClientConfig,
    ) -> Result<Arc<BaseConsumer<GroupEvents>>, KafkaError> {
        let events = GroupEvents(Arc::clone(self));
        let kafka: Arc<BaseConsumer<GroupEvents>> = Arc::new(config.create_with_context(events)?);
        self.state.lock().kafka = Some(Arc::clone(&kafka));
        kafka.subscribe(&[&self.topic])?;
        Ok(kafka)
    }

    /// Lets go of the consumer, which holds this member in turn.
    fn end(&self) {
        let mut state = self.state.lock();
        state.leaving = true;
        let (queues, kafka) = (std::mem::take(&mut state.queues), state.kafka.take());
        drop(state);
        drop((queues, kafka));
    }

    fn is_over(&self) -> bool {
        let state = self.state.lock();
        state.leaving && state.inbox.leased() == 0
    }

    /// Fetches no more. The leases that are out stay valid.
    pub(super) fn leave(&self) {
        self.state.lock().leaving = true;
    }

    /// Waits for messages: at least one, at most `max`, with no more than `prefetch` leased.
    pub(super) async fn receive(
        &self,
        max: usize,
        prefetch: usize,
    ) -> Result<Vec<Handed>, PubSubError> {
        loop {
            let due = {
                let mut state = self.state.lock();
                if let Some(failure) = state.failure.take() {
                    return Err(failure);
                }
                let room = prefetch.saturating_sub(state.inbox.leased()).min(max);
                let now = Instant::now();
                let handed = state.hand_out(room, now);
                if !handed.is_empty() {
                    return Ok(handed);
                }
                // A failure may have come out of a queue.
                if state.failure.is_some() {
                    continue;
                }
                state.inbox.next_due(now).filter(|_| room > 0)
            };
            match due {
                None => self.wake.notified().await,
                Some(due) => {
                    let due = tokio::time::Instant::from_std(due);
                    // Either way there may be something now.
                    let _ = tokio::time::timeout_at(due, self.wake.notified()).await;
                }
            }
        }
    }

    pub(super) fn holds(&self, place: Place) -> Result<(), PubSubError> {
        let holds = self.state.lock().inbox.holds(place);
        if holds { Ok(()) } else { Err(self.lost()) }
    }

    /// A message is finished: up to where all are, the group's offset may be committed.
    pub(super) fn acknowledge(&self, place: Place) -> Result<(), PubSubError> {
        let mut state = self.state.lock();
        let progress = state.inbox.acknowledge(place);
        if let Ok(Some((partition, offset))) = progress {
            state.commit(&self.topic, partition, offset, Instant::now());
        }
        drop(state);
        self.wake.notify_one();
        progress.map(drop).map_err(|Lost| self.lost())
    }

    /// A message comes again.
    pub(super) fn release(
        &self,
        place: Place,
        delay: Duration,
        count: Attempt,
    ) -> Result<(), PubSubError> {
        if count == Attempt::Counted && !self.delivery.retry {
            tracing::warn!(
                topic = self.topic,
                group = self.group,
                "a message that failed is skipped (`consumeRetryEnabled` is `false`)",
            );
            return self.acknowledge(place);
        }
        let pause = match count {
            Attempt::Counted => delay.max(self.delivery.retry_interval),
            Attempt::NotCounted => delay,
        };
        let mut state = self.state.lock();
        let released = state.inbox.release(place, pause, count, Instant::now());
        drop(state);
        self.wake.notify_one();
        released.map_err(|Lost| self.lost())
    }

    pub(super) fn leased(&self) -> usize {
        self.state.lock().inbox.leased()
    }

    fn lost(&self) -> PubSubError {
        PubSubError::Unavailable(format!(
            "the partition of topic `{}` was given to another member of group `{}`, which gets the message again",
            self.topic, self.group
        ))
    }

    /// librdkafka goes on by itself after most errors; those that somebody has to cure are told.
    fn fail(&self, error: &KafkaError) {
        let trouble = self.trouble.tell(&self.brokers);
        if let Some(failure) = failure(error, trouble) {
            self.state.lock().failure = Some(failure);
            self.wake.notify_one();
            self.dealt.notify_one();
        }
    }

    fn assigned(self: &Arc<Self>, partitions: &TopicPartitionList) {
        let mut state = self.state.lock();
        let Some(kafka) = state.kafka.clone() else {
            return;
        };
        for own in partitions.elements() {
            let number = own.partition();
            state.queues.retain(|(queue, _)| *queue != number);
            state.inbox.assign(number);
            // Before the partition is read: its messages come through this queue only.
            if let Some(mut queue) = kafka.split_partition_queue(&self.topic, number) {
                let wake = Arc::clone(&self.wake);
                queue.set_nonempty_callback(move || wake.notify_one());
                state.queues.push((number, queue));
            }
        }
        drop(state);
        // A queue may hold what was fetched before its partition was last given up. librdkafka drops that when it is
        // polled, and calls only when an empty queue gets something.
        self.wake.notify_one();
        self.dealt.notify_one();
        self.trouble.over();
        tracing::debug!(
            topic = self.topic,
            group = self.group,
            ?partitions,
            "partitions assigned"
        );
    }

    /// Gives partitions up: leases become void, then what is finished is committed, and nothing else.
    fn revoked(&self, kafka: &BaseConsumer<GroupEvents>, partitions: &TopicPartitionList) {
        let mut finished = TopicPartitionList::new();
        let mut dropped = Vec::new();
        let mut state = self.state.lock();
        for own in partitions.elements() {
            let number = own.partition();
            if let Some(offset) = state.inbox.revoke(number) {
                // Offsets are never negative.
                let _ = finished.add_partition_offset(&self.topic, number, Offset::Offset(offset));
            }
            dropped.extend(state.queues.extract_if(.., |(queue, _)| *queue == number));
        }
        drop(state);
        drop(dropped);
        self.wake.notify_one();
        tracing::debug!(
            topic = self.topic,
            group = self.group,
            ?partitions,
            "partitions given up"
        );
        // Who was thrown out has nothing to commit any more: the next member may be further by now.
        if finished.count() > 0
            && !kafka.assignment_lost()
            && let Err(error) = kafka.commit(&finished, CommitMode::Sync)
        {
            tracing::warn!(
                topic = self.topic,
                group = self.group,
                "offsets could not be committed before their partitions went, some messages come again: {error}",
            );
        }
    }
}

impl State {
    /// Takes in what is wanted and hands out what is ready.
    fn hand_out(&mut self, room: usize, now: Instant) -> Vec<Handed> {
        if room == 0 || self.leaving {
            return Vec::new();
        }
        loop {
            let more = self.inbox.waiting() < room && self.take_in(room);
            let handed = self.inbox.hand_out(room, now);
            if !handed.is_empty() {
                return handed;
            }
            // What waits has to go on waiting; others may not.
            if !more && !self.take_in(room) {
                return Vec::new();
            }
        }
    }

    /// Lets an offset be committed: at once after a quiet time, so that a lone message is, and else in librdkafka's
    /// rhythm. Neither waits.
    fn commit(&mut self, topic: &str, partition: i32, offset: i64, now: Instant) {
        let Some(kafka) = &self.kafka else { return };
        // A partition that is being taken away refuses: then the offset is committed as it goes.
        let _ = kafka.store_offset(topic, partition, offset - 1);
        let lately = |before: Instant| now.duration_since(before) < COMMIT_INTERVAL;
        if self.committed.is_some_and(lately) {
            return;
        }
        self.committed = Some(now);
        let mut list = TopicPartitionList::new();
        let _ = list.add_partition_offset(topic, partition, Offset::Offset(offset));
        let _ = kafka.commit(&list, CommitMode::Async);
    }

    /// Takes at most `max` messages of each partition, in turn. Whether any came.
    fn take_in(&mut self, max: usize) -> bool {
        let Self {
            inbox,
            queues,
            turn,
            failure,
            ..
        } = self;
        *turn = turn.wrapping_add(1);
        let (count, mut any) = (queues.len(), false);
        for place in 0..count {
            let Some((partition, queue)) = queues.get((place + *turn) % count) else {
                continue;
            };
            for _ in 0..max {
                if !inbox.wants(*partition) {
                    break;
                }
                match queue.poll(Duration::ZERO) {
                    Some(Ok(message)) => inbox.admit(Record::read(&message)),
                    Some(Err(error)) => {
                        let told = self::failure(&error, None);
                        *failure = failure.take().or(told);
                    }
                    None => break,
                }
                any = true;
            }
        }
        any
    }
}

/// What a consumer's error means; `None`: nothing, it passes.
fn failure(error: &KafkaError, trouble: Option<String>) -> Option<PubSubError> {
    let code = error.rdkafka_error_code()?;
    let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
    let told = matches!(
        code,
        Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::InvalidTopic
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::InvalidGroupId
            | Code::InconsistentGroupProtocol
            | Code::Fatal
    );
    let what = "receiving from Kafka";
    match code {
        Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL => {
            let message = trouble.unwrap_or_else(|| format!("{what}: {code}"));
            Some(PubSubError::Unavailable(message))
        }
        _ if fatal || told => Some(pubsub_error(what, error)),
        _ => None,
    }
}

/// Hears from librdkafka, on the member's thread.
pub(super) struct GroupEvents(Arc<Member>);

impl ClientContext for GroupEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", "{error}: {reason}");
        self.0.trouble.note(&error, reason);
    }
}

impl ConsumerContext for GroupEvents {
    fn pre_rebalance(&self, kafka: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => self.0.assigned(partitions),
            Rebalance::Revoke(partitions) => self.0.revoked(kafka, partitions),
            Rebalance::Error(error) => self.0.fail(error),
        }
    }
}
