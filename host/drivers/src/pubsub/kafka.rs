//! `pubsub.kafka` v1: topics in Kafka, or in whatever speaks its protocol, as Dapr uses them.
//!
//! The client is rdkafka over librdkafka, built in: the C library that Kafka's vendors test their brokers and their own
//! clients against, with consumer groups, idempotent publishing and every compression. Building it needs a C compiler
//! and OpenSSL's headers.
//!
//! **Publishing** waits for all replicas in step (`acks=all`) and is idempotent: what librdkafka sends again is neither
//! doubled nor out of order. The partition key (`partitionKey`) chooses the partition by the hash of Dapr's client.
//! Metadata and content type travel as headers (see `record`). Topics are created where the broker creates them.
//!
//! **Consuming.** An app is a consumer group, each of its subscriptions one member. A partition's offset is committed
//! only up to the first message that is not finished, about four times a second and before a partition is given up, so
//! that after a crash everything unfinished comes again, and up to a quarter of a second of what was finished, too.
//! - Messages with one key are handed out one at a time, in order; one that failed holds the later ones of its key
//!   back, and nothing else. Messages without a key have no order.
//! - A message that is handed back comes again to the same member, after its delay and `consumeRetryInterval`. Attempts
//!   are counted by the member: whoever gets a partition later begins at 1.
//! - A lease lasts until its partition goes to another member; then it is void, and the message comes again there.
//!   Handlers may take as long as they like: their member goes on answering the group.
//! - A group that has committed nothing begins with the oldest message. Dapr begins with the newest, which loses what
//!   was published before the first start; who wants that says `initialOffset: newest`.
//! - One partition's messages are read at most `channelBufferSize` ahead of those being handled, and at most 10,000
//!   past one that is not finished.
//!
//! **What Kafka cannot do.** It expires and removes no single messages: `ttlInSeconds` is kept by the subscriber, and a
//! dead-letter topic can be read but keeps its letters for the topic's `retention.ms`. Topic names have letters,
//! digits, `.`, `_` and `-`. What waits is counted for the groups of this host only.
//!
//! Authentication by OpenID Connect and AWS IAM and schema registries are not served, and refused.

mod connection;
mod consumer;
mod error;
mod inbox;
mod look;
mod member;
mod metadata;
mod record;
mod settings;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use berth_blocks::{
    pubsub::{
        Consumer, OutboundMessage, PubSub, PubSubCapabilities, PubSubError, StoredMessage,
        SubscribeRequest, TopicDepth,
    },
    registry::{Driver, OpenContext, OpenError, Opened},
};
use connection::Connection;
use consumer::KafkaConsumer;
use error::pubsub_error;
use look::{Positions, Reader};
use member::Member;
use metadata::{InitialOffset, KafkaMetadata};
use parking_lot::Mutex;
use rdkafka::error::KafkaError;
use settings::Settings;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Weak},
};

/// Topics whose last page is remembered.
const PAGES_MAX: usize = 64;

/// The metadata of the reference page's example.
const EXAMPLE: &str = "\
- name: brokers
  value: kafka-1.example.com:9093,kafka-2.example.com:9093
- name: authType
  value: password
- name: saslMechanism
  value: SHA-512
- name: saslUsername
  value: orders
- name: saslPassword
  secretKeyRef:
    name: kafka-password
";

/// What the reference page says besides.
const NOTES: &str = "\
Messages with one partition key keep their order; others have none. Kafka removes no single message: a dead-letter topic
keeps its letters for the topic's `retention.ms`. Topics are created where the broker creates them by itself.

Tested with the mock cluster of librdkafka, in every run, and with an independent broker (`scripts/kafka-broker.sh`). Not
tested, since no broker here has them: SASL with any mechanism, TLS and client certificates, managed services, more than
one replica.
";

/// The driver's entry in the registry.
pub(crate) fn driver() -> Driver {
    Driver::new(
        "pubsub.kafka",
        &["v1"],
        "Topics in Apache Kafka and compatible brokers",
        |context, metadata| async move { Ok(Opened::pubsub(open(context, metadata).await?)) },
    )
    .example(EXAMPLE)
    .notes(NOTES)
}

async fn open(context: OpenContext, metadata: KafkaMetadata) -> Result<KafkaPubSub, OpenError> {
    let settings = Settings::new(&metadata)?;
    let connection = Connection::shared(&context, &settings).await?;
    Ok(KafkaPubSub {
        connection,
        settings: Arc::new(settings),
        members: Mutex::default(),
        pages: Arc::default(),
    })
}

/// An open `pubsub.kafka`.
struct KafkaPubSub {
    /// The producer, shared with other backends on the same brokers.
    connection: Arc<Connection>,
    settings: Arc<Settings>,
    /// Members that live, to tell what their groups wait for.
    members: Mutex<Vec<Weak<Member>>>,
    /// Where the last page of a topic ended: its last message, and the positions after it.
    pages: Arc<Mutex<HashMap<String, (String, Positions)>>>,
}

#[async_trait]
impl PubSub for KafkaPubSub {
    fn capabilities(&self) -> PubSubCapabilities {
        PubSubCapabilities {
            ttl: false,
            ordering: true,
            durable: true,
            log: true,
            history: true,
            browse: true,
            removal: false,
        }
    }

    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        record::check_topic(&message.topic)?;
        self.connection.send(record::outbound(&message)?).await
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        record::check_topic(&request.topic)?;
        self.connection.find_topic(&request.topic).await?;
        let group = self
            .settings
            .consumer_group
            .clone()
            .unwrap_or(request.group);
        let member = Member::new(
            request.topic,
            group,
            self.settings.brokers.clone(),
            self.settings.delivery,
        );
        // From here on the member leaves when this call is given up.
        let consumer = KafkaConsumer {
            member,
            prefetch: request.prefetch,
        };
        let config = self.settings.consumer(&consumer.member.group);
        consumer.member.join(config).await?;
        let mut members = self.members.lock();
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(&consumer.member));
        Ok(Box::new(consumer))
    }

    async fn browse(
        &self,
        topic: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError> {
        record::check_topic(topic)?;
        let after = after.map(|text| (text.to_owned(), look::id(text)));
        let after = match after {
            Some((text, None)) => {
                return Err(PubSubError::Invalid(format!(
                    "`{text}` is no ID of a message: expected `<partition>-<offset>`"
                )));
            }
            Some((text, Some(id))) => Some((text, id)),
            None => None,
        };
        let (settings, pages, topic) =
            (self.settings.clone(), self.pages.clone(), topic.to_owned());
        blocking("reading the topic", move || {
            browse(&settings, &pages, &topic, after, limit as usize)
        })
        .await
    }

    async fn remove(&self, topic: &str, _: &str) -> Result<bool, PubSubError> {
        Err(PubSubError::Unsupported(format!(
            "Kafka removes no single messages: those of topic `{topic}` go when its `retention.ms` is over"
        )))
    }

    async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError> {
        let mut groups: BTreeMap<(String, String), u64> = BTreeMap::new();
        for member in self.members.lock().iter().filter_map(Weak::upgrade) {
            let key = (member.topic.clone(), member.group.clone());
            *groups.entry(key).or_default() += member.leased() as u64;
        }
        let settings = self.settings.clone();
        blocking("counting what waits", move || depths(&settings, &groups)).await
    }

    async fn ping(&self) -> Result<(), PubSubError> {
        self.connection.ping().await
    }
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, PubSubError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| PubSubError::Other(format!("{what}: {error}")))?
        .map_err(|error| pubsub_error(what, &error))
}

/// One page of a topic. A page that follows the last one begins where that ended; any other `after` is looked for from
/// the beginning.
fn browse(
    settings: &Settings,
    pages: &Mutex<HashMap<String, (String, Positions)>>,
    topic: &str,
    after: Option<(String, (i32, i64))>,
    limit: usize,
) -> Result<Vec<StoredMessage>, KafkaError> {
    let reader = Reader::new(&settings.reader())?;
    let bounds = reader.bounds(Some(topic))?;
    let Some(ends) = bounds.get(topic) else {
        return Ok(Vec::new());
    };
    let mut positions = Positions::new();
    if let Some((text, id)) = after {
        let known = pages
            .lock()
            .get(topic)
            .filter(|(last, _)| *last == text)
            .cloned();
        match known {
            Some((_, known)) => positions = known,
            None => match reader.find(topic, ends, id)? {
                Some(found) => positions = found,
                None => return Ok(Vec::new()),
            },
        }
    }
    let page = reader.page(topic, &mut positions, ends, limit)?;
    if let Some(last) = page.last() {
        let mut pages = pages.lock();
        if pages.len() >= PAGES_MAX {
            pages.clear();
        }
        pages.insert(topic.to_owned(), (last.id(), positions));
    }
    let escape = settings.delivery.escape_headers;
    Ok(page
        .into_iter()
        .map(|record| record.stored(topic, escape))
        .collect())
}

/// What groups of this host have not finished, and what topics hold that none of them reads.
fn depths(
    settings: &Settings,
    groups: &BTreeMap<(String, String), u64>,
) -> Result<Vec<TopicDepth>, KafkaError> {
    let bounds = Reader::new(&settings.reader())?.bounds(None)?;
    let mut depths = Vec::new();
    for (topic, partitions) in &bounds {
        let own = groups.iter().filter(|((of, _), _)| of == topic);
        let mut has_groups = false;
        for ((_, group), leased) in own {
            has_groups = true;
            let done = look::committed(&settings.consumer(group), topic, partitions)?;
            let lag = partitions.iter().map(|(partition, (first, next))| {
                let begins = match settings.initial_offset {
                    InitialOffset::Oldest => *first,
                    InitialOffset::Newest => *next,
                };
                let from = done.get(partition).copied().unwrap_or(begins).max(*first);
                u64::try_from(next - from).unwrap_or(0)
            });
            depths.push(TopicDepth {
                topic: topic.clone(),
                group: Some(group.clone()),
                waiting: lag.sum::<u64>().saturating_sub(*leased),
                in_flight: *leased,
            });
        }
        if !has_groups {
            let held = partitions.values();
            depths.push(TopicDepth {
                topic: topic.clone(),
                group: None,
                waiting: held
                    .map(|(first, next)| u64::try_from(next - first).unwrap_or(0))
                    .sum(),
                in_flight: 0,
            });
        }
    }
    Ok(depths)
}
