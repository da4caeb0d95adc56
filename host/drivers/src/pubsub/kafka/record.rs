//! A message as Kafka has it, and its metadata as Dapr gives it.
//!
//! Every metadata entry is a header of the same name. The key, topic, partition, offset and moment come as `__key`,
//! `__topic`, `__partition`, `__offset` and `__timestamp`. The content type is the header `content-type`, as the Kafka
//! binding of CloudEvents has it; Dapr writes none, and shows it as one more entry of the metadata.

use berth_blocks::pubsub::{OutboundMessage, PubSubError, StoredMessage};
use bytes::Bytes;
use rdkafka::{
    message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders},
    producer::FutureRecord,
};
use std::{
    fmt::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, SystemTime},
};

const CONTENT_TYPE: &str = "content-type";
/// Metadata that chooses the key, as in Dapr.
const KEYS: [&str; 2] = ["partitionKey", "__key"];
/// Metadata that chooses the partition itself, as in Dapr.
const PARTITION: &str = "partitionNumber";
/// Metadata that asks Dapr to encode with a schema.
const SCHEMA: &str = "valueSchemaType";

/// A fetched message.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) key: Option<Bytes>,
    pub(super) data: Bytes,
    headers: Vec<(String, String)>,
    /// Milliseconds since 1970.
    pub(super) timestamp: Option<i64>,
}

impl Record {
    /// Copies a message out of librdkafka's memory.
    pub(super) fn read(message: &BorrowedMessage<'_>) -> Self {
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(Bytes::copy_from_slice),
            data: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
            headers: headers(message),
            timestamp: message.timestamp().to_millis().filter(|millis| *millis > 0),
        }
    }

    #[cfg(test)]
    pub(super) fn for_test(partition: i32, offset: i64, key: Option<&str>) -> Self {
        Self {
            partition,
            offset,
            key: key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
            data: Bytes::new(),
            headers: Vec::new(),
            timestamp: None,
        }
    }

    /// Partition and offset: what Kafka's own tools call it by.
    pub(super) fn id(&self) -> String {
        format!("{}-{}", self.partition, self.offset)
    }

    pub(super) fn content_type(&self) -> Option<String> {
        let own = self.headers.iter().find(|(name, _)| is_content_type(name));
        own.map(|(_, value)| value.clone())
    }

    pub(super) fn published_at(&self) -> Option<SystemTime> {
        let millis = u64::try_from(self.timestamp?).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
    }

    /// Headers, and what Kafka itself knows; a header of the same name wins, as in Dapr.
    pub(super) fn metadata(&self, topic: &str, escape: bool) -> Vec<(String, String)> {
        let headers = self
            .headers
            .iter()
            .filter(|(name, _)| !is_content_type(name));
        let mut metadata: Vec<_> = headers
            .map(|(name, value)| (name.clone(), shown(value.as_bytes(), escape)))
            .collect();
        let key = self.key.as_ref().map(|key| shown(key, escape));
        let own = [
            ("__key", key),
            ("__topic", Some(topic.to_owned())),
            ("__partition", Some(self.partition.to_string())),
            ("__offset", Some(self.offset.to_string())),
            ("__timestamp", self.timestamp.map(|at| at.to_string())),
        ];
        for (name, value) in own {
            if let Some(value) = value
                && !self.headers.iter().any(|(header, _)| header == name)
            {
                metadata.push((name.to_owned(), value));
            }
        }
        metadata
    }

    pub(super) fn stored(self, topic: &str, escape: bool) -> StoredMessage {
        StoredMessage {
            id: self.id(),
            content_type: self.content_type(),
            metadata: self.metadata(topic, escape),
            published_at: self.published_at().unwrap_or(SystemTime::UNIX_EPOCH),
            data: self.data,
        }
    }
}

/// Bytes that are held for it, roughly.
pub(super) fn size(record: &Record) -> usize {
    let headers = record.headers.iter();
    let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
    record.data.len() + headers
}

fn headers(message: &BorrowedMessage<'_>) -> Vec<(String, String)> {
    let Some(headers) = message.headers() else {
        return Vec::new();
    };
    let read = || {
        let entries = headers.iter().map(|header| {
            let value = header.value.unwrap_or_default();
            (
                header.key.to_owned(),
                String::from_utf8_lossy(value).into_owned(),
            )
        });
        entries.collect()
    };
    // The client panics at a header whose name is no UTF-8; one foreign message must not end a subscription.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        tracing::warn!(
            topic = message.topic(),
            partition = message.partition(),
            offset = message.offset(),
            "a message has a header name that is not UTF-8: its headers are left out",
        );
        Vec::new()
    })
}

fn is_content_type(name: &str) -> bool {
    name.eq_ignore_ascii_case(CONTENT_TYPE)
}

fn shown(value: &[u8], escape: bool) -> String {
    if !escape {
        return String::from_utf8_lossy(value).into_owned();
    }
    let mut shown = String::with_capacity(value.len());
    for byte in value {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                shown.push(char::from(*byte));
            }
            b' ' => shown.push('+'),
            // Writing to a string does not fail.
            byte => drop(write!(shown, "%{byte:02X}")),
        }
    }
    shown
}

/// A message on its way out.
pub(super) fn outbound(
    message: &OutboundMessage,
) -> Result<FutureRecord<'_, [u8], [u8]>, PubSubError> {
    let named = |wanted: &str| {
        let metadata = message.metadata.iter();
        let found = metadata.clone().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    if named(SCHEMA).is_some_and(|kind| !kind.eq_ignore_ascii_case("none")) {
        return Err(PubSubError::Unsupported(format!(
            "metadata {SCHEMA}: berth does not serve schema registries: publish JSON or raw bytes"
        )));
    }
    let mut headers = OwnedHeaders::new_with_capacity(message.metadata.len() + 1);
    for (name, value) in &message.metadata {
        if name.contains('\0') {
            return Err(PubSubError::Invalid(
                "metadata: Kafka takes no header whose name has a zero byte".to_owned(),
            ));
        }
        headers = headers.insert(Header {
            key: name,
            value: Some(value),
        });
    }
    if !message.content_type.is_empty() {
        headers = headers.insert(Header {
            key: CONTENT_TYPE,
            value: Some(&message.content_type),
        });
    }
    let key = message
        .partition_key
        .as_deref()
        .or_else(|| KEYS.iter().find_map(|name| named(name)));
    let partition = named(PARTITION).map(|number| {
        let number: Option<i32> = number.trim().parse().ok().filter(|number| *number >= 0);
        number.ok_or_else(|| {
            PubSubError::Invalid(format!(
                "metadata {PARTITION}: expected a whole number from 0"
            ))
        })
    });
    Ok(FutureRecord {
        topic: &message.topic,
        partition: partition.transpose()?,
        payload: Some(&message.data),
        key: key.map(str::as_bytes),
        timestamp: None,
        headers: Some(headers),
    })
}

/// Refuses what no broker takes, before librdkafka waits for a topic that can never be.
pub(super) fn check_topic(topic: &str) -> Result<(), PubSubError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let usable = (1..=249).contains(&topic.len()) && topic != "." && topic != "..";
    if usable && topic.bytes().all(legal) {
        return Ok(());
    }
    Err(PubSubError::Invalid(format!(
        "topic `{topic}`: Kafka takes names of letters, digits, `.`, `_` and `-`, at most 249"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_escaped_as_in_a_query() {
        assert_eq!(shown("a b/ü~".as_bytes(), true), "a+b%2F%C3%BC~");
        assert_eq!(shown(b"a b", false), "a b");
    }

    #[test]
    fn topic_names_are_those_that_kafka_takes() {
        for good in ["orders", "a.b_c-d", &"x".repeat(249)] {
            assert_eq!(check_topic(good), Ok(()));
        }
        for bad in ["", ".", "..", "a/b", "ü", "a b", &"x".repeat(250)] {
            assert!(
                matches!(check_topic(bad), Err(PubSubError::Invalid(_))),
                "{bad}"
            );
        }
    }
}
