//! What backends with the same brokers and credentials share: the producer, which also answers questions about topics.

use super::{
    error::{Trouble, config_error, pubsub_error},
    settings::{CALL_TIMEOUT, Settings},
};
use berth_blocks::{
    pubsub::PubSubError,
    registry::{OpenContext, OpenError},
};
use parking_lot::RwLock;
use rdkafka::{
    ClientConfig, ClientContext,
    client::Client,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode as Code},
    metadata::Metadata,
    producer::{
        FutureProducer, FutureRecord, Producer,
        future_producer::{DeliveryFuture, FutureProducerContext},
    },
    types::RDKafkaRespErr,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Within Dapr's `initTimeout` of five seconds, so that the cause is told and not that time ran out.
const OPEN_TIMEOUT: Duration = Duration::from_secs(4);
/// How long one look at the brokers may wait before it is seen whether they can be reached at all.
const LOOK: Duration = Duration::from_millis(250);
/// How long a topic that was just created may stay unknown.
const CREATION: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How soon a full queue is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// Hears what librdkafka has to say besides answers.
#[derive(Clone, Default)]
pub(super) struct Events {
    pub(super) trouble: Arc<Trouble>,
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", "{error}: {reason}");
        self.trouble.note(&error, reason);
    }
}

/// Readers belong to no group: nothing is dealt out to them.
impl ConsumerContext for Events {}

/// librdkafka's own log. It complains of brokers at every attempt to connect; what matters of it comes back from the
/// calls that fail.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning if facility != "FAIL" => {
            tracing::warn!(target: "librdkafka", facility, "{message}");
        }
        _ => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

type OwnProducer = FutureProducer<Events>;

/// A connection to the brokers.
pub(super) struct Connection {
    pub(super) brokers: String,
    config: ClientConfig,
    /// Absent once the connection is dropped. Replaced when it has failed for good.
    producer: RwLock<Option<OwnProducer>>,
    events: Events,
}

impl Connection {
    /// The connection with these settings, opened by whoever comes first; answers once a broker has.
    pub(super) async fn shared(
        context: &OpenContext,
        settings: &Settings,
    ) -> Result<Arc<Self>, OpenError> {
        let connection = context.connections.shared(&settings.identity(), || {
            Self::new(settings).map_err(|error| config_error(&error))
        })?;
        let own = Arc::clone(&connection);
        let looking = tokio::task::spawn_blocking(move || own.look(OPEN_TIMEOUT));
        looking
            .await
            .map_err(|error| OpenError::Backend(format!("connecting to Kafka: {error}")))?
            .map_err(OpenError::Backend)?;
        Ok(connection)
    }

    fn new(settings: &Settings) -> Result<Self, KafkaError> {
        let (config, events) = (settings.producer(), Events::default());
        let producer = config.create_with_context(events.clone())?;
        Ok(Self {
            brokers: settings.brokers.clone(),
            config,
            producer: RwLock::new(Some(producer)),
            events,
        })
    }

    /// Waits until a broker answers. Blocks.
    fn look(&self, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        loop {
            let answer = self.client(|client| client.fetch_metadata(None, LOOK));
            let error = match answer {
                Ok(Ok(_)) => {
                    self.events.trouble.over();
                    return Ok(());
                }
                Ok(Err(error)) => error.to_string(),
                Err(error) => return Err(error.to_string()),
            };
            if self.events.trouble.is_hopeless() || Instant::now() >= deadline {
                let trouble = self.events.trouble.tell(&self.brokers);
                return Err(trouble.unwrap_or_else(|| {
                    format!(
                        "connecting to Kafka at {}: no answer within {patience:?}: is a broker running there? ({error})",
                        self.brokers
                    )
                }));
            }
        }
    }

    /// Asks the brokers something, on a thread that may block.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        what: &'static str,
        question: impl FnOnce(&Client<FutureProducerContext<Events>>) -> Result<T, KafkaError>
        + Send
        + 'static,
    ) -> Result<T, PubSubError> {
        let own = Arc::clone(self);
        let asking = tokio::task::spawn_blocking(move || {
            let answer = own.client(question)?;
            answer.map_err(|error| own.explain(what, &error))
        });
        asking
            .await
            .map_err(|error| PubSubError::Other(format!("{what}: {error}")))?
    }

    pub(super) async fn ping(self: &Arc<Self>) -> Result<(), PubSubError> {
        self.ask("asking Kafka for its brokers", |client| {
            client.fetch_metadata(None, CALL_TIMEOUT)
        })
        .await?;
        self.events.trouble.over();
        Ok(())
    }

    /// Waits until a topic is there; asking for it creates it where the broker allows.
    pub(super) async fn find_topic(self: &Arc<Self>, topic: &str) -> Result<(), PubSubError> {
        let name = topic.to_owned();
        self.ask("looking for the topic", move |client| {
            let deadline = Instant::now() + CREATION;
            loop {
                let metadata = client.fetch_metadata(Some(&name), CALL_TIMEOUT)?;
                match topic_error(&metadata, &name) {
                    None => return Ok(()),
                    Some(error) if Instant::now() >= deadline || !is_passing(error) => {
                        return Err(KafkaError::MetadataFetch(error.into()));
                    }
                    Some(_) => std::thread::sleep(LOOK_AGAIN),
                }
            }
        })
        .await
    }

    /// Sends a message; the broker's answer comes with the future. Waits while too much is unsent.
    pub(super) async fn send(
        &self,
        record: FutureRecord<'_, [u8], [u8]>,
    ) -> Result<(), PubSubError> {
        let what = "publishing";
        let deadline = Instant::now() + CALL_TIMEOUT;
        let mut record = record;
        let answer = loop {
            match self.enqueue(record)? {
                Ok(answer) => break answer,
                Err((error, back)) => {
                    let full = error.rdkafka_error_code() == Some(Code::QueueFull);
                    if !full || Instant::now() >= deadline {
                        return Err(self.explain(what, &error));
                    }
                    record = back;
                }
            }
            tokio::time::sleep(FULL_PAUSE).await;
        };
        match answer.await {
            Ok(Ok(_)) => {
                self.events.trouble.over();
                Ok(())
            }
            Ok(Err((error, _))) => Err(self.explain(what, &error)),
            Err(_) => Err(closed()),
        }
    }

    #[allow(clippy::type_complexity, reason = "what the client returns")]
    fn enqueue<'a>(
        &self,
        record: FutureRecord<'a, [u8], [u8]>,
    ) -> Result<Result<DeliveryFuture, (KafkaError, FutureRecord<'a, [u8], [u8]>)>, PubSubError>
    {
        let producer = self.producer.read();
        let producer = producer.as_ref().ok_or_else(closed)?;
        Ok(producer.send_result(record))
    }

    /// An error as a guest sees it. A producer that cannot go on is replaced, for the calls to come.
    fn explain(&self, what: &str, error: &KafkaError) -> PubSubError {
        let code = error.rdkafka_error_code();
        if code == Some(Code::Fatal) {
            self.replace();
        }
        let unreachable = matches!(
            code,
            Some(
                Code::MessageTimedOut
                    | Code::BrokerTransportFailure
                    | Code::AllBrokersDown
                    | Code::OperationTimedOut
                    | Code::RequestTimedOut
                    | Code::Resolve
            )
        );
        match self.events.trouble.tell(&self.brokers) {
            Some(trouble) if unreachable => PubSubError::Unavailable(format!("{what}: {trouble}")),
            _ => pubsub_error(what, error),
        }
    }

    /// Idempotent producers end when they have lost count of what the broker has.
    fn replace(&self) {
        let Ok(fresh) = self.config.create_with_context(self.events.clone()) else {
            return;
        };
        let mut producer = self.producer.write();
        let broken = producer
            .as_ref()
            .is_some_and(|own| own.client().fatal_error().is_some());
        if broken {
            tracing::warn!(target: "librdkafka", brokers = self.brokers, "the producer is replaced");
            bury(producer.replace(fresh));
        } else {
            bury(Some(fresh));
        }
    }

    /// Blocks as long as `ask` does.
    fn client<T>(
        &self,
        ask: impl FnOnce(&Client<FutureProducerContext<Events>>) -> T,
    ) -> Result<T, PubSubError> {
        // A clone: whoever replaces the producer must not wait for a slow answer. Should it be the last one, this
        // thread may block.
        let producer = self.producer.read().clone().ok_or_else(closed)?;
        Ok(ask(producer.client()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        bury(self.producer.get_mut().take());
    }
}

/// The last clone of a producer waits for its thread when it is dropped: not on a thread that serves others.
fn bury(producer: Option<OwnProducer>) {
    if let Some(producer) = producer {
        // Without a thread it is dropped here, which takes its time and harms nobody.
        let _ = std::thread::Builder::new()
            .name("kafka-close".to_owned())
            .spawn(move || drop(producer));
    }
}

fn closed() -> PubSubError {
    PubSubError::Unavailable("the connection to Kafka is closed".to_owned())
}

/// Why a topic cannot be used; `None`: it can.
fn topic_error(metadata: &Metadata, name: &str) -> Option<RDKafkaRespErr> {
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    match topic {
        None => Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART),
        Some(topic) => topic.error().or_else(|| {
            let empty = topic.partitions().is_empty();
            empty.then_some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        }),
    }
}

/// Whether a topic's error goes away once the brokers have created it.
fn is_passing(error: RDKafkaRespErr) -> bool {
    matches!(
        error,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
    )
}
