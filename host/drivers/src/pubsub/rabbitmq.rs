//! `pubsub.rabbitmq`: topics on RabbitMQ (AMQP 0-9-1), in the layout of Dapr, so that apps of both share a broker.
//!
//! A topic is an exchange of its name, `fanout` unless `exchangeKind` says otherwise. A consumer group is a queue
//! `<group>-<topic>` bound to it. What exists already with other properties is used as it is, with a warning, so that
//! whoever declares first decides.
//!
//! - Unlike Dapr's, the defaults keep messages: durable, persistent, confirmed, and queues stay without consumers.
//! - AMQP has no history: what is published while no queue is bound to the topic is taken and forgotten, as in Dapr. A
//!   group gets what is published from its first subscription on, whether or not anybody listens. Dead letters are the
//!   exception: for each dead-letter topic a queue `<topic>-retained` keeps them for people (a week, by default).
//! - Queues cannot be read without taking messages out: no browsing, no depths.
//! - A message belongs to whoever has it for as long as the connection lives (the broker's `consumer_timeout`, 30
//!   minutes by default, bounds it). One that is handed back waits in this host for its delay and is then given out
//!   again here, so that attempts are counted; when the host goes, the broker gives it to others. A quorum queue counts
//!   the deliveries; a classic queue only tells that there was one, which counts as attempt 2.
//! - The order of a queue holds until a message is handed back, or two members or handlers share it. Partition keys
//!   have no meaning.
//! - A message may live 49 days at most once it has a time to live. Time does not pass for messages that were fetched.

mod consumer;
mod layout;
mod lease;
mod link;
mod message;
mod metadata;
mod publisher;
mod session;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use berth_blocks::{
    pubsub::{
        Consumer, OutboundMessage, PubSub, PubSubCapabilities, PubSubError, StoredMessage,
        SubscribeRequest, TopicDepth,
    },
    registry::{Driver, OpenError, Opened},
};
use consumer::RabbitConsumer;
use lapin::ErrorKind;
use link::Link;
use metadata::{RabbitMetadata, Settings};
use publisher::Publisher;
use std::{sync::Arc, time::Duration};

/// How long a call to the broker may take. Dapr has no setting for it.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The metadata of the reference page's example.
const EXAMPLE: &str = "\
- name: connectionString
  secretKeyRef:
    name: rabbitmq-connection
- name: queueType
  value: quorum
";

/// What the reference page says besides.
const NOTES: &str = "\
`connectionString` is `amqps://user:password@rabbitmq.example.com:5671/vhost`. What is published to a topic before an
app has ever subscribed to it is lost, as in Dapr; dead letters are kept. Topics cannot be looked into.

Tested with RabbitMQ 3.10: classic and quorum queues on one node, TLS with client certificates. Not tested: EXTERNAL
logins, clusters, managed services (Amazon MQ,
CloudAMQP), RabbitMQ 4.
";

/// The driver's entry in the registry.
pub(crate) fn driver() -> Driver {
    Driver::new(
        "pubsub.rabbitmq",
        &["v1"],
        "Topics on RabbitMQ, in Dapr's layout of exchanges and queues",
        |_, metadata| async move { Ok(Opened::pubsub(open(&metadata).await?)) },
    )
    .example(EXAMPLE)
    .notes(NOTES)
}

async fn open(metadata: &RabbitMetadata) -> Result<RabbitPubSub, OpenError> {
    let settings = Arc::new(metadata.settings()?);
    let target = Arc::new(metadata.target()?);
    let publishing = Arc::new(Link::new(target.clone()));
    // Refused, unknown, not allowed: the operator learns it now. The link for consumers opens with the first of them.
    publishing.live().await.map_err(OpenError::Backend)?;
    Ok(RabbitPubSub {
        publisher: Publisher::new(publishing.clone(), settings.clone()),
        publishing,
        consuming: Arc::new(Link::new(target)),
        settings,
    })
}

/// An open `pubsub.rabbitmq`.
struct RabbitPubSub {
    publisher: Publisher,
    /// A broker short of memory stops reading from connections that publish: acknowledgements take another one.
    publishing: Arc<Link>,
    consuming: Arc<Link>,
    settings: Arc<Settings>,
}

impl Drop for RabbitPubSub {
    fn drop(&mut self) {
        self.publishing.close();
        self.consuming.close();
    }
}

#[async_trait]
impl PubSub for RabbitPubSub {
    fn capabilities(&self) -> PubSubCapabilities {
        PubSubCapabilities {
            ttl: true,
            ordering: false,
            durable: self.settings.is_durable(),
            history: false,
            log: false,
            browse: false,
            removal: false,
        }
    }

    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        self.publisher.publish(message).await
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        let join = RabbitConsumer::join(self.consuming.clone(), &self.settings, &request);
        Ok(Box::new(join.await?))
    }

    async fn browse(
        &self,
        _topic: &str,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError> {
        Err(unsupported())
    }

    async fn remove(&self, _topic: &str, _id: &str) -> Result<bool, PubSubError> {
        Err(unsupported())
    }

    async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError> {
        Err(unsupported())
    }

    async fn ping(&self) -> Result<(), PubSubError> {
        let ping = async {
            let live = self.publishing.live().await;
            let live = live.map_err(PubSubError::Unavailable)?;
            live.channel().await.map(drop)
        };
        within_call(ping).await
    }
}

fn unsupported() -> PubSubError {
    PubSubError::Unsupported(
        "RabbitMQ shows what a queue holds only to those who take it out; its management plugin tells more".to_owned(),
    )
}

/// Bounds a call that changes nothing when it is given up.
async fn within_call<T>(
    call: impl Future<Output = Result<T, PubSubError>>,
) -> Result<T, PubSubError> {
    tokio::time::timeout(CALL_TIMEOUT, call)
        .await
        .unwrap_or_else(|_| {
            Err(PubSubError::Unavailable(format!(
                "RabbitMQ does not answer within {CALL_TIMEOUT:?}"
            )))
        })
}

/// What an error of the client means to a guest. Whatever another attempt may cure is `Unavailable`.
fn pubsub_error(doing: &str, error: &lapin::Error) -> PubSubError {
    let message = format!("{doing}: {error}");
    match error.kind() {
        ErrorKind::ProtocolError(refusal) => match refusal.get_id() {
            311 => PubSubError::TooLarge(message),
            // Access refused, not allowed.
            403 | 530 => PubSubError::Denied(message),
            // Another owner, other properties, wrong arguments.
            405 | 406 => PubSubError::Invalid(message),
            540 => PubSubError::Unsupported(message),
            // Not found: the exchange was deleted, and is declared anew by the next call. The rest: the broker stops.
            _ => PubSubError::Unavailable(message),
        },
        ErrorKind::SerialisationError(_) | ErrorKind::ParsingError(_) => {
            PubSubError::Other(message)
        }
        _ => PubSubError::Unavailable(message),
    }
}

/// Whether the broker has this with other properties.
fn exists_otherwise(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(refusal) if refusal.get_id() == 406)
}
