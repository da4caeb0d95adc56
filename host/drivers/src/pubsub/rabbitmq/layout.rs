//! Exchanges and queues: names, properties, declarations.

use super::{
    exists_otherwise,
    link::Live,
    metadata::{QueueType, Settings},
    pubsub_error,
};
use berth_blocks::{pubsub::PubSubError, registry::metadata::truthy};
use lapin::{
    ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use std::time::Duration;

/// A name as AMQP takes it: at most 255 bytes.
pub(super) fn name(text: &str, what: &str) -> Result<ShortString, PubSubError> {
    ShortString::try_new(text).map_err(|_| {
        PubSubError::Invalid(format!(
            "{what} has {} bytes, RabbitMQ takes at most 255",
            text.len()
        ))
    })
}

/// A queue and what it is bound to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct QueuePlan {
    pub(super) exchange: ShortString,
    pub(super) queue: ShortString,
    /// Patterns of routing keys; one that is empty for fanout.
    routing_keys: Vec<ShortString>,
    arguments: FieldTable,
}

impl QueuePlan {
    /// The queue of a group, as the backend and the subscription want it.
    pub(super) fn new(
        topic: &str,
        group: &str,
        settings: &Settings,
        metadata: &[(String, String)],
    ) -> Result<Self, PubSubError> {
        let entry = |name: &str| {
            let mut own = metadata
                .iter()
                .filter(|(own, value)| own.eq_ignore_ascii_case(name) && !value.is_empty());
            own.next().map(|(_, value)| value.as_str())
        };
        let queue = entry("queueName").map_or_else(|| format!("{group}-{topic}"), str::to_owned);
        let queue_type = match entry("queueType") {
            None => settings.queue_type,
            Some("classic") => QueueType::Classic,
            Some("quorum") => QueueType::Quorum,
            Some(other) => {
                return Err(PubSubError::Invalid(format!(
                    "`queueType` is \"{other}\", expected classic or quorum"
                )));
            }
        };
        let single = match entry("singleActiveConsumer") {
            None => false,
            Some(text) => truthy(text).ok_or_else(|| {
                PubSubError::Invalid(format!(
                    "`singleActiveConsumer` is \"{text}\", expected true or false"
                ))
            })?,
        };
        let limits = Limits {
            length: number(entry("maxLen"), "maxLen")?.or(settings.max_len.map(i64::from)),
            bytes: number(entry("maxLenBytes"), "maxLenBytes")?.or(settings
                .max_len_bytes
                .and_then(|bytes| i64::try_from(bytes).ok())),
            priority: number(entry("maxPriority"), "maxPriority")?
                .or(settings.max_priority.map(i64::from)),
        };
        if queue_type == QueueType::Quorum && (settings.auto_delete || !settings.durable) {
            return Err(PubSubError::Invalid(
                "a quorum queue needs `durable: true` and `deletedWhenUnused: false`".to_owned(),
            ));
        }
        let mut arguments = limits.arguments();
        arguments.insert("x-queue-type".into(), text(queue_type.name()));
        if single {
            let value = AMQPValue::Boolean(true);
            arguments.insert("x-single-active-consumer".into(), value);
        }
        if settings.dead_letter {
            let value = text(&format!("dlx-{queue}"));
            arguments.insert("x-dead-letter-exchange".into(), value);
        }
        let keys = entry("routingKey").unwrap_or_default().split(',');
        Ok(Self {
            exchange: name(topic, "the topic")?,
            queue: name(&queue, "the queue's name")?,
            routing_keys: keys
                .map(|key| name(key.trim(), "a routing key"))
                .collect::<Result<_, _>>()?,
            arguments,
        })
    }
}

impl QueueType {
    fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }
}

/// Limits of a queue.
struct Limits {
    length: Option<i64>,
    bytes: Option<i64>,
    priority: Option<i64>,
}

impl Limits {
    fn arguments(&self) -> FieldTable {
        let mut table = FieldTable::default();
        let limits = [
            ("x-max-length", self.length),
            ("x-max-length-bytes", self.bytes),
            ("x-max-priority", self.priority.map(|most| most.min(255))),
        ];
        for (name, limit) in limits {
            if let Some(limit) = limit {
                table.insert(name.into(), AMQPValue::LongLongInt(limit));
            }
        }
        table
    }
}

fn number(text: Option<&str>, field: &str) -> Result<Option<i64>, PubSubError> {
    let Some(text) = text else { return Ok(None) };
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.map(Some).ok_or_else(|| {
        PubSubError::Invalid(format!(
            "`{field}` is \"{text}\", expected a whole number above 0"
        ))
    })
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// The exchange of a topic.
pub(super) async fn declare_topic(
    live: &Live,
    topic: &ShortString,
    settings: &Settings,
) -> Result<(), PubSubError> {
    let options = ExchangeDeclareOptions {
        durable: settings.durable,
        auto_delete: settings.auto_delete,
        ..ExchangeDeclareOptions::default()
    };
    declare_exchange(live, topic, settings.kind.into(), options).await
}

/// The queue of a group, its exchange, and what Dapr adds for dead letters.
pub(super) async fn declare_group(
    live: &Live,
    plan: &QueuePlan,
    settings: &Settings,
) -> Result<(), PubSubError> {
    declare_topic(live, &plan.exchange, settings).await?;
    if settings.dead_letter {
        declare_dead_letters(live, plan.queue.as_str(), settings).await?;
    }
    let options = QueueDeclareOptions {
        durable: settings.durable,
        auto_delete: settings.auto_delete,
        ..QueueDeclareOptions::default()
    };
    declare_queue(live, &plan.queue, options, plan.arguments.clone()).await?;
    for key in &plan.routing_keys {
        bind(live, &plan.queue, &plan.exchange, key).await?;
    }
    Ok(())
}

/// A queue that keeps what is published to a topic for people to read.
pub(super) async fn declare_retained(
    live: &Live,
    topic: &ShortString,
    retain: Duration,
) -> Result<(), PubSubError> {
    let queue = name(&format!("{topic}-retained"), "the queue's name")?;
    let millis = i64::try_from(retain.as_millis()).unwrap_or(i64::MAX);
    let mut arguments = FieldTable::default();
    arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(millis));
    declare_queue(live, &queue, QueueDeclareOptions::durable(), arguments).await?;
    bind(live, &queue, topic, &"#".into()).await
}

async fn declare_dead_letters(
    live: &Live,
    queue: &str,
    settings: &Settings,
) -> Result<(), PubSubError> {
    let exchange = name(&format!("dlx-{queue}"), "the dead-letter exchange's name")?;
    let letters = name(&format!("dlq-{queue}"), "the dead-letter queue's name")?;
    let limits = Limits {
        length: settings.max_len.map(i64::from),
        bytes: settings
            .max_len_bytes
            .and_then(|bytes| i64::try_from(bytes).ok()),
        priority: None,
    };
    let mut arguments = limits.arguments();
    // On disk rather than in memory, as Dapr has it.
    arguments.insert("x-queue-mode".into(), text("lazy"));
    let options = ExchangeDeclareOptions {
        durable: true,
        auto_delete: settings.auto_delete,
        ..ExchangeDeclareOptions::default()
    };
    declare_exchange(live, &exchange, ExchangeKind::Fanout, options).await?;
    let options = QueueDeclareOptions {
        durable: true,
        auto_delete: settings.auto_delete,
        ..QueueDeclareOptions::default()
    };
    declare_queue(live, &letters, options, arguments).await?;
    bind(live, &letters, &exchange, &"".into()).await
}

// A refusal ends the channel it came on: each declaration has one of its own.

async fn declare_exchange(
    live: &Live,
    exchange: &ShortString,
    kind: ExchangeKind,
    options: ExchangeDeclareOptions,
) -> Result<(), PubSubError> {
    let declare = async |options| {
        let channel = live.channel().await?;
        let table = FieldTable::default();
        let declared = channel
            .exchange_declare(exchange.clone(), kind.clone(), options, table)
            .await;
        Ok::<_, PubSubError>(declared)
    };
    let doing = || format!("declaring the exchange \"{exchange}\"");
    match declare(options).await? {
        Ok(()) => Ok(()),
        Err(error) if exists_otherwise(&error) => {
            tracing::warn!(%exchange, "the exchange exists with other properties and is used as it is: {error}");
            let passive = ExchangeDeclareOptions {
                passive: true,
                ..options
            };
            declare(passive)
                .await?
                .map_err(|error| pubsub_error(&doing(), &error))
        }
        Err(error) => Err(pubsub_error(&doing(), &error)),
    }
}

async fn declare_queue(
    live: &Live,
    queue: &ShortString,
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> Result<(), PubSubError> {
    let declare = async |options| {
        let channel = live.channel().await?;
        let declared = channel
            .queue_declare(queue.clone(), options, arguments.clone())
            .await;
        Ok::<_, PubSubError>(declared)
    };
    let doing = || format!("declaring the queue \"{queue}\"");
    match declare(options).await? {
        Ok(_) => Ok(()),
        Err(refusal) if exists_otherwise(&refusal) => {
            let passive = QueueDeclareOptions {
                passive: true,
                ..options
            };
            // It is not there: the arguments themselves were wrong.
            if declare(passive).await?.is_err() {
                return Err(pubsub_error(&doing(), &refusal));
            }
            tracing::warn!(%queue, "the queue exists with other properties and is used as it is: {refusal}");
            Ok(())
        }
        Err(error) => Err(pubsub_error(&doing(), &error)),
    }
}

async fn bind(
    live: &Live,
    queue: &ShortString,
    exchange: &ShortString,
    key: &ShortString,
) -> Result<(), PubSubError> {
    let bound = live
        .channel()
        .await?
        .queue_bind(
            queue.clone(),
            exchange.clone(),
            key.clone(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await;
    bound.map_err(|error| {
        pubsub_error(
            &format!("binding the queue \"{queue}\" to \"{exchange}\""),
            &error,
        )
    })
}
