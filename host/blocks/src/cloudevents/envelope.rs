//! From a payload to the event that goes over the wire.

use super::{
    EVENT_TYPE, JSON_TYPE, SPEC_VERSION, UNKNOWN_SOURCE,
    event::check_version,
    is_any, is_binary, is_json,
    members::{Members, Writer, quote},
    timestamp,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use berth_telemetry::trace::Trace;
use bytes::Bytes;
use serde::de::IgnoredAny;
use std::{borrow::Cow, time::Duration};

/// About what the attributes of an event take.
const ATTRIBUTES_BYTES: usize = 512;

/// What an event says besides its payload.
pub(crate) struct Envelope<'a> {
    /// The app that publishes; empty: `Dapr`.
    pub(crate) source: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) pubsub: &'a str,
    /// Where whoever gets the event stands.
    pub(crate) trace: &'a Trace,
    /// Written as `expiration`, for brokers that do not expire messages themselves.
    pub(crate) expires_in: Option<Duration>,
    /// Of the publish call: `cloudevent.*` overrides fields.
    pub(crate) metadata: &'a [(String, String)],
}

impl Envelope<'_> {
    /// The event as JSON. A payload that is an event already keeps what it says.
    pub(crate) fn wrap(&self, data: Bytes, content_type: Option<&str>) -> Result<Bytes, String> {
        let content_type = content_type
            .filter(|text| !text.is_empty())
            .unwrap_or("text/plain");
        let event = if is_any(content_type, &[JSON_TYPE]) {
            self.complete(&data)?
        } else {
            self.build(&data, content_type)
        };
        Ok(event.into())
    }

    fn build(&self, data: &[u8], content_type: &str) -> Vec<u8> {
        let own = self.traceparent();
        let traceparent = self.field("traceparent", self.field("traceid", &own));
        let (state, baggage) = self.carried();
        let mut id = uuid::Uuid::encode_buffer();
        let id = uuid::Uuid::new_v4().hyphenated().encode_lower(&mut id);
        let mut event = Writer::with_room(data.len() + ATTRIBUTES_BYTES);
        event.string("id", self.field("id", id));
        event.string("source", self.field("source", self.source()));
        event.string("specversion", SPEC_VERSION);
        event.string("type", self.field("type", EVENT_TYPE));
        event.string("time", &timestamp(Duration::ZERO));
        event.string_unless_empty("subject", self.field("subject", ""));
        event.string("datacontenttype", content_type);
        event.string("topic", self.topic);
        event.string("pubsubname", self.pubsub);
        event.string("traceid", self.field("traceid", traceparent));
        event.string("traceparent", traceparent);
        event.string("tracestate", self.field("tracestate", state));
        // Baggage has no attribute of its own in CloudEvents: it travels as an extension, if there is any.
        event.string_unless_empty("baggage", baggage);
        if let Some(ahead) = self.expires_in {
            event.string("expiration", &timestamp(ahead));
        }
        let (name, json) = payload(data, content_type);
        event.json(name, &json);
        event.finish()
    }

    /// What the metadata says about a field, else what it is.
    fn field<'f>(&'f self, name: &str, default: &'f str) -> &'f str {
        const PREFIX: &str = "cloudevent.";
        let overrides = |key: &str| {
            let split = key.split_at_checked(PREFIX.len());
            split.is_some_and(|(prefix, own)| {
                prefix.eq_ignore_ascii_case(PREFIX) && own.eq_ignore_ascii_case(name)
            })
        };
        let told = self.metadata.iter().find(|(key, _)| overrides(key));
        told.map_or(default, |(_, value)| value)
    }

    /// An event of the publisher: topic and backend are ours, the rest is filled where it is missing.
    fn complete(&self, data: &[u8]) -> Result<Vec<u8>, String> {
        let mut event = Members::parse(data)
            .map_err(|error| format!("the data is not a CloudEvent: {error}"))?;
        event.set("topic", self.topic);
        event.set("pubsubname", self.pubsub);
        event.fill("source", self.source());
        event.fill("type", EVENT_TYPE);
        event.fill("specversion", SPEC_VERSION);
        event.fill("time", &timestamp(Duration::ZERO));
        let traceparent = self.traceparent();
        event.fill("traceid", &traceparent);
        event.fill("traceparent", &traceparent);
        event.fill("tracestate", self.carried().0);
        self.bring(&mut event);
        self.expire(&mut event);
        check_version(&event).map_err(|error| error.to_string())?;
        Ok(event.to_json())
    }

    fn source(&self) -> &str {
        if self.source.is_empty() {
            UNKNOWN_SOURCE
        } else {
            self.source
        }
    }

    fn traceparent(&self) -> String {
        self.trace.context().to_string()
    }

    /// `tracestate` and `baggage`.
    fn carried(&self) -> (&str, &str) {
        let carried = self.trace.carried();
        carried.map_or(("", ""), |own| (&own.state, &own.baggage))
    }

    /// Baggage has no attribute of its own in CloudEvents: it travels as an extension, if there is any.
    fn bring(&self, event: &mut Members<'_>) {
        let (_, baggage) = self.carried();
        if !baggage.is_empty() {
            event.fill("baggage", baggage);
        }
    }

    fn expire(&self, event: &mut Members<'_>) {
        if let Some(ahead) = self.expires_in {
            event.set("expiration", &timestamp(ahead));
        }
    }
}

/// The member that holds the payload. What claims to be JSON and is not is kept as a string, as Dapr does.
pub(super) fn payload<'d>(data: &'d [u8], content_type: &str) -> (&'static str, Cow<'d, str>) {
    let text = std::str::from_utf8(data);
    match text {
        _ if is_binary(content_type) => ("data_base64", quote(&STANDARD.encode(data)).into()),
        Ok(text) if is_json(content_type) && serde_json::from_str::<IgnoredAny>(text).is_ok() => {
            ("data", text.trim().into())
        }
        Ok(text) => ("data", quote(text).into()),
        // Not text whatever the type says: base64 is the only form that loses nothing.
        Err(_) => ("data_base64", quote(&STANDARD.encode(data)).into()),
    }
}
