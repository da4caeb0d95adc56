//! From the wire to an event taken apart.

use super::{
    EVENT_TYPE, SPEC_VERSION, UNKNOWN_SOURCE, envelope::payload, is_json, members::Members,
    timestamp,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use std::{time::Duration, time::SystemTime};

/// An event, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudEvent {
    /// `id`; empty if the publisher gave none.
    pub id: String,
    /// `source`
    pub source: String,
    /// `type`
    pub event_type: String,
    /// `specversion`
    pub spec_version: String,
    /// `subject`
    pub subject: Option<String>,
    /// `time`, RFC 3339.
    pub time: Option<String>,
    /// `datacontenttype`
    pub data_content_type: Option<String>,
    /// The payload: the JSON text of `data`, the bytes of a string `data` that is not JSON, or the decoded
    /// `data_base64`.
    pub data: Bytes,
    /// Every other attribute as text.
    pub extensions: Vec<(String, String)>,
}

/// Why bytes are not an event.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Not a JSON object.
    #[error("not a CloudEvent: {0}")]
    Json(#[from] serde_json::Error),
    /// A required attribute is missing or empty.
    #[error("not a CloudEvent: `{0}` is missing")]
    Missing(&'static str),
    /// An attribute has the wrong form.
    #[error("not a CloudEvent: `{name}` is not {expected}")]
    Wrong {
        /// The attribute.
        name: &'static str,
        /// What was expected.
        expected: &'static str,
    },
}

impl CloudEvent {
    /// Reads an event in JSON form.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn parse(json: &[u8]) -> Result<Self, EventError> {
        let members = Members::parse(json)?;
        check_version(&members)?;
        let required = |name| {
            text(&members, name)?
                .filter(|text| !text.is_empty())
                .ok_or(EventError::Missing(name))
        };
        let data_content_type = text(&members, "datacontenttype")?;
        Ok(Self {
            id: text(&members, "id")?.unwrap_or_default(),
            source: required("source")?,
            event_type: required("type")?,
            spec_version: required("specversion")?,
            subject: text(&members, "subject")?,
            time: text(&members, "time")?,
            data: data(&members, data_content_type.as_deref())?,
            data_content_type,
            extensions: extensions(&members),
        })
    }

    /// Wraps a payload that was published without an envelope; gives the event and its JSON form.
    #[must_use]
    pub fn from_raw(data: Bytes, pubsub: &str, topic: &str) -> (Self, Bytes) {
        let event = Self {
            id: uuid::Uuid::new_v4().to_string(),
            source: UNKNOWN_SOURCE.to_owned(),
            event_type: EVENT_TYPE.to_owned(),
            spec_version: SPEC_VERSION.to_owned(),
            subject: None,
            time: Some(timestamp(Duration::ZERO)),
            data_content_type: Some("application/octet-stream".to_owned()),
            data,
            extensions: vec![
                ("topic".to_owned(), topic.to_owned()),
                ("pubsubname".to_owned(), pubsub.to_owned()),
            ],
        };
        let json = event.to_json();
        (event, json)
    }

    /// The event in JSON form.
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        let mut members = Members::empty();
        members.set("id", &self.id);
        members.set("source", &self.source);
        members.set("specversion", &self.spec_version);
        members.set("type", &self.event_type);
        let optional = [
            ("time", &self.time),
            ("subject", &self.subject),
            ("datacontenttype", &self.data_content_type),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                members.set(name, value);
            }
        }
        let content_type = self.data_content_type.as_deref().unwrap_or_default();
        let (name, json) = payload(&self.data, content_type);
        members.set_json(name, json);
        members.extend(&self.extensions);
        members.to_json().into()
    }

    /// An attribute that is not one of the fields.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&str> {
        let found = self.extensions.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether `expiration` lies before `now`. A date that cannot be read does not expire anything.
    #[must_use]
    pub fn is_expired(&self, now: SystemTime) -> bool {
        let format = &time::format_description::well_known::Rfc3339;
        let expiration = self
            .extension("expiration")
            .and_then(|text| time::OffsetDateTime::parse(text, format).ok());
        expiration.is_some_and(|expiration| SystemTime::from(expiration) < now)
    }
}

/// Attributes with a field of their own, and the payload.
const FIELDS: [&str; 9] = [
    "id",
    "source",
    "specversion",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "data",
    "data_base64",
];

fn extensions(members: &Members<'_>) -> Vec<(String, String)> {
    let others = members
        .iter()
        .filter(|(name, value)| !FIELDS.contains(name) && *value != "null");
    others
        .map(|(name, json)| {
            let text = serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned());
            (name.to_owned(), text)
        })
        .collect()
}

fn text(members: &Members<'_>, name: &'static str) -> Result<Option<String>, EventError> {
    let wrong = |_| EventError::Wrong {
        name,
        expected: "a string",
    };
    members
        .json(name)
        .map(|json| serde_json::from_str(json).map_err(wrong))
        .transpose()
}

/// Version 1 in any minor form: other versions name attributes differently.
pub(super) fn check_version(members: &Members<'_>) -> Result<(), EventError> {
    let name = "specversion";
    let version = text(members, name)?.ok_or(EventError::Missing(name))?;
    if version == "1" || version.starts_with("1.") {
        return Ok(());
    }
    Err(EventError::Wrong {
        name,
        expected: "`1.0`",
    })
}

fn data(members: &Members<'_>, content_type: Option<&str>) -> Result<Bytes, EventError> {
    if let Some(encoded) = text(members, "data_base64")? {
        let wrong = |_| EventError::Wrong {
            name: "data_base64",
            expected: "base64",
        };
        return Ok(STANDARD.decode(encoded).map_err(wrong)?.into());
    }
    let Some((_, json)) = members.iter().find(|(name, _)| *name == "data") else {
        return Ok(Bytes::new());
    };
    // A string of another type than JSON stands for its bytes; everything else for its JSON text.
    match serde_json::from_str::<String>(json) {
        Ok(text) if !content_type.is_some_and(is_json) => Ok(text.into()),
        _ if json == "null" && !content_type.is_some_and(is_json) => Ok(Bytes::new()),
        _ => Ok(Bytes::copy_from_slice(json.as_bytes())),
    }
}
