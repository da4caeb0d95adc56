//! How events, messages, tasks and outcomes are stored: a head in JSON, then the payload as it is.
//!
//! ```text
//! 1 byte   version of this form
//! 4 bytes  length of the head, big-endian
//! head     JSON; may gain fields, never loses or changes one, since histories live as long as their instances
//! rest     payload, unless the head names a blob that holds it
//! ```

use crate::{Event, EventKind, Payload, limits::INLINE_PAYLOAD_BYTES_MAX};
use berth_blocks::workflow::{Blob, Timestamp};
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

const VERSION: u8 = 1;
const PREFIX_BYTES: usize = 5;

/// Why stored bytes cannot be read: they are damaged, or of a newer version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read what is stored: {0}")]
pub struct DecodeError(String);

/// What a head says of the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PayloadHead {
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// The payload is this blob of the instance.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
}

#[derive(Serialize)]
struct HeadRef<'a, T> {
    #[serde(rename = "k")]
    content: &'a T,
    #[serde(rename = "a", skip_serializing_if = "is_zero")]
    at: i64,
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    payload: Option<PayloadHead>,
}

#[derive(Deserialize)]
struct Head<T> {
    #[serde(rename = "k")]
    content: T,
    #[serde(rename = "a", default)]
    at: i64,
    #[serde(rename = "p", default)]
    payload: Option<PayloadHead>,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A stored payload, or where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stored {
    Here(Payload),
    Blob {
        digest: String,
        content_type: Option<String>,
    },
}

/// An event as it is stored; its payload may still be a blob.
#[derive(Debug)]
pub(crate) struct StoredEvent {
    pub(crate) event: Event,
    /// The digest of the blob that is its payload.
    pub(crate) blob: Option<String>,
}

/// Encodes an event; a payload that is too large for it goes to `blobs`.
pub(crate) fn encode_event(event: &Event, blobs: &mut Vec<Blob>) -> Bytes {
    let payload = event.payload.as_ref();
    let large = payload.filter(|payload| payload.data.len() > INLINE_PAYLOAD_BYTES_MAX);
    let digest = large.map(|payload| {
        let digest = digest(&payload.data);
        blobs.push(Blob {
            digest: digest.clone(),
            bytes: payload.data.clone(),
        });
        digest
    });
    encode_parts(&event.kind, event.at.0, payload, digest)
}

/// Decodes an event.
pub(crate) fn decode_event(body: &Bytes) -> Result<StoredEvent, DecodeError> {
    let (kind, at, payload) = decode_parts::<EventKind>(body)?;
    let (payload, blob) = match payload {
        None => (None, None),
        Some(Stored::Here(payload)) => (Some(payload), None),
        Some(Stored::Blob {
            digest,
            content_type,
        }) => {
            let empty = Payload {
                data: Bytes::new(),
                content_type,
            };
            (Some(empty), Some(digest))
        }
    };
    let event = Event {
        at: Timestamp(at),
        kind,
        payload,
    };
    Ok(StoredEvent { event, blob })
}

/// Encodes anything else: a message, a task, an outcome.
pub(crate) fn encode<T: Serialize>(content: &T, payload: Option<&Payload>) -> Bytes {
    encode_parts(content, 0, payload, None)
}

/// The reverse of [`encode`].
pub(crate) fn decode<T: DeserializeOwned>(
    body: &Bytes,
) -> Result<(T, Option<Payload>), DecodeError> {
    let (content, _, payload) = decode_parts(body)?;
    match payload {
        None => Ok((content, None)),
        Some(Stored::Here(payload)) => Ok((content, Some(payload))),
        Some(Stored::Blob { .. }) => Err(DecodeError("a blob where none may be".to_owned())),
    }
}

fn encode_parts<T: Serialize>(
    content: &T,
    at: i64,
    payload: Option<&Payload>,
    blob: Option<String>,
) -> Bytes {
    let is_blob = blob.is_some();
    let head = HeadRef {
        content,
        at,
        payload: payload.map(|payload| PayloadHead {
            content_type: payload.content_type.clone(),
            blob,
        }),
    };
    let data = payload.filter(|_| !is_blob).map(|payload| &payload.data);
    let mut body = BytesMut::with_capacity(PREFIX_BYTES + 128 + data.map_or(0, Bytes::len));
    body.put_u8(VERSION);
    body.put_u32(0);
    // Heads are maps with text keys and no floats but finite ones: writing them to memory cannot fail.
    if let Err(error) = serde_json::to_writer((&mut body).writer(), &head) {
        tracing::error!(%error, "an event or message that has no JSON form");
    }
    let length = u32::try_from(body.len() - PREFIX_BYTES).unwrap_or(u32::MAX);
    if let Some(place) = body.get_mut(1..PREFIX_BYTES) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    if let Some(data) = data {
        body.extend_from_slice(data);
    }
    body.freeze()
}

fn decode_parts<T: DeserializeOwned>(
    body: &Bytes,
) -> Result<(T, i64, Option<Stored>), DecodeError> {
    let damaged = |what: &str| DecodeError(what.to_owned());
    let prefix: &[u8; PREFIX_BYTES] = body
        .first_chunk()
        .ok_or_else(|| damaged("it is too short"))?;
    let [version, length @ ..] = *prefix;
    if version != VERSION {
        return Err(DecodeError(format!(
            "it has version {version}, this build reads {VERSION}: use the build that wrote it"
        )));
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let end = length.saturating_add(PREFIX_BYTES);
    let head = body
        .get(PREFIX_BYTES..end)
        .ok_or_else(|| damaged("it is cut off"))?;
    let head: Head<T> =
        serde_json::from_slice(head).map_err(|error| DecodeError(error.to_string()))?;
    let payload = head.payload.map(|payload| match payload.blob {
        None => Stored::Here(Payload {
            data: body.slice(end..),
            content_type: payload.content_type,
        }),
        Some(digest) => Stored::Blob {
            digest,
            content_type: payload.content_type,
        },
    });
    Ok((head.content, head.at, payload))
}

/// Names bytes by their content: SHA-256 in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let hash = Sha256::digest(bytes);
    hash.iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(data: &[u8]) -> Event {
        Event::new(
            Timestamp(1_700_000_000_123),
            EventKind::ActivityCompleted { of: 7 },
        )
        .with(Payload::bytes(data.to_vec()))
    }

    #[test]
    fn an_event_reads_as_written() {
        let event = completed(b"\x00\xff");
        let mut blobs = Vec::new();
        let body = encode_event(&event, &mut blobs);
        let read = decode_event(&body).unwrap();
        assert_eq!((read.event, read.blob, blobs.len()), (event, None, 0));
    }

    #[test]
    fn the_stored_form_does_not_change() {
        let body = encode_event(&completed(b"ok"), &mut Vec::new());
        let text = String::from_utf8_lossy(&body[PREFIX_BYTES..]).into_owned();
        let expected = r#"{"k":{"activity-completed":{"of":7}},"a":1700000000123,"p":{}}ok"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn a_large_payload_lies_in_a_blob() {
        let event = completed(&vec![7; INLINE_PAYLOAD_BYTES_MAX + 1]);
        let mut blobs = Vec::new();
        let body = encode_event(&event, &mut blobs);
        assert!(body.len() < 250, "{}", body.len());
        let read = decode_event(&body).unwrap();
        assert_eq!(read.blob.as_ref(), Some(&blobs[0].digest));
        assert_eq!(blobs[0].bytes, event.payload.unwrap().data);
    }

    #[test]
    fn damaged_bytes_are_an_error_and_no_panic() {
        let body = encode_event(&completed(b"ok"), &mut Vec::new());
        for end in 0..body.len() - 2 {
            assert!(decode_event(&body.slice(..end)).is_err(), "{end}");
        }
        let mut newer = body.to_vec();
        newer[0] = 9;
        let error = decode_event(&newer.into()).unwrap_err().to_string();
        assert!(error.contains("version 9"), "{error}");
    }
}
