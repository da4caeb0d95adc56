//! Messages as AMQP has them: metadata entries are headers, and some are properties besides.

use super::layout::name;
use berth_blocks::pubsub::{InboundMessage, Lease, OutboundMessage, PubSubError};
use bytes::Bytes;
use lapin::{
    BasicProperties,
    message::Delivery,
    types::{AMQPValue, FieldTable, ShortString},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// The longest time to live that the broker takes, in milliseconds of 32 bits.
pub(super) const TTL_MAX: Duration = Duration::from_millis(u32::MAX as u64);

/// Counts the deliveries of a quorum queue but the first.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// Headers that tell the life of a message in one queue: they mean nothing in the next.
const LIFE: [&str; 5] = [
    DELIVERY_COUNT,
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
];

/// What goes to the broker besides the data.
pub(super) struct Outbound {
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
}

impl Outbound {
    pub(super) fn new(
        message: &OutboundMessage,
        delivery_mode: u8,
        ttl: Option<Duration>,
    ) -> Result<Self, PubSubError> {
        let entry = |name: &str| {
            let mut own = message
                .metadata
                .iter()
                .filter(|(own, value)| own.eq_ignore_ascii_case(name) && !value.is_empty());
            own.next().map(|(_, value)| value.as_str())
        };
        let id = match entry("messageID") {
            Some(id) => name(id, "the message ID")?,
            None => uuid_text().into(),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut properties = BasicProperties::default()
            .with_message_id(id)
            .with_delivery_mode(delivery_mode)
            .with_timestamp(now.unwrap_or_default().as_secs());
        if !message.content_type.is_empty() {
            properties =
                properties.with_content_type(name(&message.content_type, "the content type")?);
        }
        if !message.metadata.is_empty() {
            properties = properties.with_headers(headers(&message.metadata)?);
        }
        if let Some(ttl) = message.ttl.or(ttl) {
            properties = properties.with_expiration(expiration(ttl)?);
        }
        if let Some(text) = entry("priority") {
            properties = properties.with_priority(priority(text)?);
        }
        if let Some(id) = entry("correlationID") {
            properties = properties.with_correlation_id(name(id, "the correlation ID")?);
        }
        if let Some(kind) = entry("type") {
            properties = properties.with_type(name(kind, "the type")?);
        }
        Ok(Self {
            routing_key: name(entry("routingKey").unwrap_or_default(), "the routing key")?,
            properties,
        })
    }
}

fn uuid_text() -> String {
    Uuid::new_v4().to_string()
}

fn headers(metadata: &[(String, String)]) -> Result<FieldTable, PubSubError> {
    let mut table = FieldTable::default();
    for (key, value) in metadata {
        if !LIFE.contains(&key.as_str()) {
            let value = AMQPValue::LongString(value.as_str().into());
            table.insert(name(key, "the name of a metadata entry")?, value);
        }
    }
    Ok(table)
}

fn expiration(ttl: Duration) -> Result<ShortString, PubSubError> {
    if ttl > TTL_MAX {
        return Err(PubSubError::Invalid(format!(
            "a time to live of {} s, RabbitMQ takes at most {} s (49 days)",
            ttl.as_secs(),
            TTL_MAX.as_secs()
        )));
    }
    // Less than a millisecond is not at once.
    name(&ttl.as_millis().max(1).to_string(), "the time to live")
}

fn priority(text: &str) -> Result<u8, PubSubError> {
    text.trim()
        .parse()
        .map_err(|_| PubSubError::Invalid(format!("`priority` is \"{text}\", expected 0 to 255")))
}

/// A message that the broker gave to this host.
#[derive(Debug)]
pub(super) struct Received {
    /// Names it on its channel.
    pub(super) tag: u64,
    /// Which window of the session it came through.
    pub(super) window: u64,
    /// 1 for the first delivery.
    pub(super) attempt: u32,
    data: Bytes,
    properties: BasicProperties,
}

impl Received {
    pub(super) fn new(delivery: Delivery, window: u64) -> Self {
        Self {
            tag: delivery.delivery_tag,
            window,
            attempt: attempt(&delivery),
            data: delivery.data.into(),
            properties: delivery.properties,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.data.len()
    }

    /// As blocks have it, but for the lease, which takes the message itself.
    pub(super) fn into_inbound(
        self,
        session: u64,
        lease: impl FnOnce(Self) -> Box<dyn Lease>,
    ) -> InboundMessage {
        let properties = &self.properties;
        // Whoever publishes may give no ID.
        let id = properties.message_id().as_ref().map_or_else(
            || format!("{session}.{}", self.tag),
            |id| id.as_str().to_owned(),
        );
        let seconds = properties.timestamp().as_ref();
        InboundMessage {
            id,
            data: self.data.clone(),
            content_type: properties
                .content_type()
                .as_ref()
                .map(|kind| kind.as_str().to_owned()),
            metadata: metadata(properties),
            attempt: self.attempt,
            published_at: seconds
                .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(*seconds))),
            lease: lease(self),
        }
    }
}

fn attempt(delivery: &Delivery) -> u32 {
    let headers = delivery.properties.headers().as_ref();
    let count = headers.and_then(|headers| headers.inner().get(DELIVERY_COUNT));
    match count.and_then(integer) {
        Some(count) => u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1),
        None => 1 + u32::from(delivery.redelivered),
    }
}

fn integer(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(number) => Some((*number).into()),
        AMQPValue::ShortShortUInt(number) => Some((*number).into()),
        AMQPValue::ShortInt(number) => Some((*number).into()),
        AMQPValue::ShortUInt(number) => Some((*number).into()),
        AMQPValue::LongInt(number) => Some((*number).into()),
        AMQPValue::LongUInt(number) => Some((*number).into()),
        AMQPValue::LongLongInt(number) => Some(*number),
        _ => None,
    }
}

/// Headers as text; those that are tables or lists stay with the broker.
fn metadata(properties: &BasicProperties) -> Vec<(String, String)> {
    let headers = properties.headers().iter().flat_map(FieldTable::inner);
    let mut entries: Vec<(String, String)> = headers
        .filter(|(key, _)| !LIFE.contains(&key.as_str()))
        .filter_map(|(key, value)| Some((key.as_str().to_owned(), header_text(value)?)))
        .collect();
    // Under the names that Dapr gives them.
    for (key, value) in [
        ("correlationid", properties.correlation_id()),
        ("type", properties.kind()),
    ] {
        if let Some(value) = value
            && !entries.iter().any(|(own, _)| own.eq_ignore_ascii_case(key))
        {
            entries.push((key.to_owned(), value.as_str().to_owned()));
        }
    }
    entries
}

fn header_text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        AMQPValue::ByteArray(bytes) => Some(String::from_utf8_lossy(bytes.as_slice()).into_owned()),
        AMQPValue::Boolean(value) => Some(value.to_string()),
        AMQPValue::Float(number) => Some(number.to_string()),
        AMQPValue::Double(number) => Some(number.to_string()),
        AMQPValue::Timestamp(seconds) => Some(seconds.to_string()),
        other => integer(other).map(|number| number.to_string()),
    }
}
