//! `/v1.0/publish`: messages to a topic, one or many.

use super::{
    CALL_TIMEOUT, Call, Door, Outcome, body,
    errors::{self, PublishCall},
    query::Query,
    reply,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use berth_blocks::{BulkMessage, Message, PublishOptions, Publisher};
use bytes::Bytes;
use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// `POST /v1.0/publish/{pubsub}/{topic...}`: the content type says what the body is.
pub(super) async fn publish(
    door: &Door,
    call: Call,
    pubsub: Cow<'_, str>,
    topic: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let metadata = query.metadata();
    let asked = asked(door, &pubsub, &topic, &metadata);
    let publisher = publisher(door, &call.head.headers, asked)?;
    let content_type = content_type(&call.head.headers);
    let data = body::read(call, door.body_bytes_max).await;
    let message = Message {
        data: data.map_err(|why| errors::publish_unread(&why, asked))?,
        content_type,
    };
    let published = publisher.publish(&topic, message, options(&metadata)).await;
    published.map_err(|error| errors::publish(&error, asked))?;
    Ok(reply::empty())
}

/// One message of many.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'b> {
    /// Dapr's JavaScript SDK writes it in another case.
    #[serde(default, alias = "entryID")]
    entry_id: String,
    #[serde(borrow)]
    event: Option<&'b RawValue>,
    #[serde(default)]
    content_type: String,
    metadata: Option<BTreeMap<String, String>>,
}

/// `POST /v1.0/publish/bulk/{pubsub}/{topic...}`: each entry on its own; those that failed are named.
pub(super) async fn bulk_publish(
    door: &Door,
    call: Call,
    pubsub: Cow<'_, str>,
    topic: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let metadata = query.metadata();
    let asked = asked(door, &pubsub, &topic, &metadata);
    let publisher = publisher(door, &call.head.headers, asked)?;
    let body = body::read(call, door.body_bytes_max).await;
    let body = body.map_err(|why| errors::bulk_unreadable(&why, asked))?;
    let entries: Option<Vec<Entry<'_>>> = serde_json::from_slice(&body)
        .map_err(|error| errors::bulk_unreadable(&error.to_string(), asked))?;
    let mut messages = Vec::new();
    for entry in entries.unwrap_or_default() {
        let data = payload(entry.event, &entry.content_type, &body);
        let data = data.map_err(|why| errors::bulk_payload(&why, asked))?;
        messages.push(BulkMessage {
            entry_id: entry.entry_id,
            message: Message {
                data,
                content_type: Some(entry.content_type),
            },
            metadata: entry.metadata.unwrap_or_default().into_iter().collect(),
        });
    }
    let failed = publisher
        .bulk_publish(&topic, messages, options(&metadata))
        .await;
    let failed = failed.map_err(|error| errors::publish(&error, asked))?;
    if failed.is_empty() {
        Ok(reply::empty())
    } else {
        Ok(errors::failed_entries(&failed))
    }
}

/// The bytes of an event: JSON as it is, base64 decoded, text without its quotes.
fn payload(event: Option<&RawValue>, content_type: &str, body: &Bytes) -> Result<Bytes, String> {
    const MISMATCH: &str = "error: mismatch between contentType and event";
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let text = |event: Option<&RawValue>| -> Result<String, String> {
        let text = event.map(RawValue::get).unwrap_or("null");
        serde_json::from_str(text).map_err(|_| MISMATCH.to_owned())
    };
    if essence == "application/octet-stream" || essence == "application/cloudevents+protobuf" {
        return match STANDARD.decode(text(event)?) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => Err(format!(
                "error: unable to decode base64 {essence} data: {error}"
            )),
        };
    }
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(match event {
            Some(event) => body::compact(event, body),
            None => Bytes::from_static(b"null"),
        });
    }
    if essence.starts_with("text/") || essence == "application/xml" {
        return Ok(text(event)?.into());
    }
    Err(MISMATCH.to_owned())
}

/// The backend, if the caller sees it and the path names a topic.
fn publisher(
    door: &Door,
    headers: &HeaderMap,
    asked: PublishCall<'_>,
) -> Result<Publisher, errors::ApiError> {
    if asked.pubsub.is_empty() {
        return Err(errors::pubsub_empty(asked));
    }
    let caller = door.caller(headers, CALL_TIMEOUT);
    let publisher = door.blocks.publisher(&caller, asked.pubsub);
    publisher
        .check()
        .map_err(|error| errors::publish(&error, asked))?;
    if asked.topic.is_empty() {
        return Err(errors::topic_empty(asked));
    }
    Ok(publisher)
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?;
    value.to_str().ok().map(str::to_owned)
}

fn options(metadata: &[(String, String)]) -> PublishOptions {
    PublishOptions {
        metadata: metadata.to_vec(),
        ..PublishOptions::default()
    }
}

fn asked<'c>(
    door: &'c Door,
    pubsub: &'c str,
    topic: &'c str,
    metadata: &'c [(String, String)],
) -> PublishCall<'c> {
    PublishCall {
        app: door.app(),
        pubsub,
        topic,
        metadata,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_its_content_type_says() {
        for (event, content_type, expected) in [
            ("{\"a\": 1}", "application/json", Ok("{\"a\":1}")),
            (
                "\"text\"",
                "application/json; charset=utf-8",
                Ok("\"text\""),
            ),
            (
                "{\"id\": \"1\"}",
                "application/cloudevents+json",
                Ok("{\"id\":\"1\"}"),
            ),
            ("\"aGk=\"", "application/octet-stream", Ok("hi")),
            ("\"a\\\"b\"", "text/plain", Ok("a\"b")),
            ("1", "text/plain", Err("mismatch")),
            ("\"%\"", "application/octet-stream", Err("base64")),
            ("1", "", Err("mismatch")),
        ] {
            let body = Bytes::from_static(event.as_bytes());
            let event: &RawValue = serde_json::from_slice(&body).unwrap();
            let got = payload(Some(event), content_type, &body);
            match (&got, expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected),
                (Err(got), Err(expected)) => assert!(got.contains(expected), "{got}"),
                _ => panic!("{content_type}: {got:?}"),
            }
        }
    }
}
