//! The form of a message on the wire, which is Dapr's.

use super::id::StreamId;
use berth_blocks::pubsub::{OutboundMessage, PubSubError};
use bytes::Bytes;
use redis::{Cmd, Value};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const DATA: &str = "data";
/// A JSON object of strings.
const METADATA: &str = "metadata";
/// berth's own: Dapr writes none and skips it.
const CONTENT_TYPE: &str = "contentType";

/// What nearly every message is, so that it need not be said.
const CLOUD_EVENT: &str = "application/cloudevents+json";

/// What each publish cuts off the old end of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trim {
    /// All but about so many.
    Length(u64),
    /// About all that is older.
    Age(Duration),
}

/// One entry of a stream.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: StreamId,
    /// How often Redis gave it out to the group, this time included; 0 for one at rest.
    pub(super) deliveries: u64,
    pub(super) data: Bytes,
    pub(super) content_type: Option<String>,
    pub(super) metadata: Vec<(String, String)>,
}

/// The command that publishes a message.
pub(super) fn add(message: &OutboundMessage, trim: Option<Trim>) -> Cmd {
    let mut add = Cmd::with_capacity(8, message.data.len() + message.topic.len() + 64);
    add.arg("XADD").arg(&message.topic);
    match trim {
        None => {}
        Some(Trim::Length(length)) => {
            add.arg("MAXLEN").arg("~").arg(length);
        }
        Some(Trim::Age(age)) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let oldest = now.unwrap_or_default().saturating_sub(age).as_millis();
            add.arg("MINID").arg("~").arg(oldest.to_string());
        }
    }
    add.arg("*").arg(DATA).arg(&message.data[..]);
    if !message.metadata.is_empty() {
        add.arg(METADATA).arg(metadata_json(&message.metadata));
    }
    if !message.content_type.is_empty() && message.content_type != CLOUD_EVENT {
        add.arg(CONTENT_TYPE).arg(&message.content_type);
    }
    add
}

/// A name that is there twice has its last value, as in Dapr's map.
fn metadata_json(metadata: &[(String, String)]) -> String {
    let metadata = metadata.iter().cloned();
    serde_json::Value::from_iter(metadata).to_string()
}

/// Entries of one stream as `XREADGROUP` gives them; nothing came if the server says nothing.
pub(super) fn read_by_group(answer: Value) -> Result<Vec<Entry>, PubSubError> {
    let entries = match answer {
        Value::Nil => return Ok(Vec::new()),
        Value::Array(mut streams) => match streams.pop() {
            Some(Value::Array(mut stream)) => stream.pop(),
            _ => None,
        },
        Value::Map(mut streams) => streams.pop().map(|(_, entries)| entries),
        _ => None,
    };
    let entries = array(entries.ok_or_else(odd)?)?.into_iter();
    entries.map(|value| entry(value, 1)).collect()
}

/// Entries as `XRANGE` gives them.
pub(super) fn at_rest(answer: Value) -> Result<Vec<Entry>, PubSubError> {
    let entries = array(answer)?.into_iter();
    entries.map(|value| entry(value, 0)).collect()
}

/// Triples of entry ID, number of deliveries and fields.
pub(super) fn claimed(answer: Value) -> Result<Vec<Entry>, PubSubError> {
    let claimed = |value| {
        let [id, deliveries, fields] = parts(value)?;
        let Value::Int(deliveries) = deliveries else {
            return Err(odd());
        };
        from_fields(id, u64::try_from(deliveries).unwrap_or(1), fields)
    };
    array(answer)?.into_iter().map(claimed).collect()
}

fn entry(value: Value, deliveries: u64) -> Result<Entry, PubSubError> {
    let [id, fields] = parts(value)?;
    from_fields(id, deliveries, fields)
}

fn from_fields(id: Value, deliveries: u64, fields: Value) -> Result<Entry, PubSubError> {
    let mut entry = Entry {
        id: text(id)?.parse()?,
        deliveries,
        data: Bytes::new(),
        content_type: None,
        metadata: Vec::new(),
    };
    let mut fields = array(fields)?.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        match bytes(name)?.as_slice() {
            name if name == DATA.as_bytes() => entry.data = Bytes::from(bytes(value)?),
            name if name == METADATA.as_bytes() => entry.metadata = metadata(&bytes(value)?),
            name if name == CONTENT_TYPE.as_bytes() => entry.content_type = Some(text(value)?),
            // Whoever wrote it may have fields of their own.
            _ => {}
        }
    }
    Ok(entry)
}

/// What is no JSON object counts as none, as in Dapr: the message is worth more than its metadata.
fn metadata(json: &[u8]) -> Vec<(String, String)> {
    let entries: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(json).unwrap_or_default();
    let text = |value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let entries = entries.into_iter();
    entries.map(|(name, value)| (name, text(value))).collect()
}

pub(super) fn array(value: Value) -> Result<Vec<Value>, PubSubError> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(odd()),
    }
}

pub(super) fn parts<const N: usize>(value: Value) -> Result<[Value; N], PubSubError> {
    array(value)?.try_into().map_err(|_| odd())
}

fn bytes(value: Value) -> Result<Vec<u8>, PubSubError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        _ => Err(odd()),
    }
}

pub(super) fn text(value: Value) -> Result<String, PubSubError> {
    String::from_utf8(bytes(value)?).map_err(|_| odd())
}

pub(super) fn odd() -> PubSubError {
    PubSubError::Other(
        "the server's answer has an unknown form: is it Redis 6.2 or later?".to_owned(),
    )
}
