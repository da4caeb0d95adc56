//! What workflows, activities and events carry.

use bytes::Bytes;

/// Bytes of an application, with their media type. Opaque to the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload {
    /// The bytes.
    pub data: Bytes,
    /// Their media type, if the sender gave one.
    pub content_type: Option<String>,
}

impl Payload {
    /// Bytes without a media type.
    pub fn bytes(data: impl Into<Bytes>) -> Self {
        Self {
            data: data.into(),
            content_type: None,
        }
    }

    /// The text form of a JSON value.
    pub fn json(text: impl Into<String>) -> Self {
        Self {
            data: Bytes::from(text.into()),
            content_type: Some("application/json".to_owned()),
        }
    }
}
