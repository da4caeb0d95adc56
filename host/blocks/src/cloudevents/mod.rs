//! CloudEvents 1.0 as Dapr writes and reads them.
//!
//! ```text
//! publish ──▶ Envelope::wrap (or nothing, when raw) ──▶ broker ──▶ CloudEvent::parse (or CloudEvent::from_raw) ──▶ guest
//! ```
//!
//! Payloads are spliced into the envelope as the text that they are: a number of any size keeps its digits.

mod binary;
mod envelope;
mod event;
mod members;
#[cfg(test)]
mod tests;

pub(crate) use binary::from_binary;
pub(crate) use envelope::Envelope;
pub use event::{CloudEvent, EventError};

/// Media type of an event as JSON.
pub const JSON_TYPE: &str = "application/cloudevents+json";
/// `type` where the publisher gives none.
pub(crate) const EVENT_TYPE: &str = "com.dapr.event.sent";
/// `source` of events that no app published.
pub(crate) const UNKNOWN_SOURCE: &str = "Dapr";
/// The version that is written.
pub(crate) const SPEC_VERSION: &str = "1.0";

/// Whether metadata asks for payloads without an envelope: `rawPayload`, in the forms that Go's `ParseBool` takes.
pub(crate) fn is_raw(metadata: &[(String, String)]) -> Result<bool, String> {
    let flag = metadata
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("rawPayload"));
    match flag.map(|(_, text)| text.as_str()) {
        None | Some("0" | "f" | "F" | "FALSE" | "false" | "False") => Ok(false),
        Some("1" | "t" | "T" | "TRUE" | "true" | "True") => Ok(true),
        Some(text) => Err(format!(
            "metadata rawPayload is `{text}`: expected `true` or `false`"
        )),
    }
}

/// The media type without its parameters, in either case.
fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn is_any(content_type: &str, types: &[&str]) -> bool {
    let essence = essence(content_type);
    types.iter().any(|own| essence.eq_ignore_ascii_case(own))
}

/// Whether payloads of this type are JSON.
fn is_json(content_type: &str) -> bool {
    let suffix = essence(content_type).rsplit_once('+').map(|(_, own)| own);
    is_any(content_type, &["application/json", "text/json"])
        || suffix.is_some_and(|own| own.eq_ignore_ascii_case("json"))
}

/// Whether payloads of this type are bytes that JSON cannot hold as text.
fn is_binary(content_type: &str) -> bool {
    is_any(
        content_type,
        &[
            "application/octet-stream",
            "application/cloudevents+protobuf",
        ],
    )
}

/// This moment, plus something, in RFC 3339 with whole seconds.
fn timestamp(ahead: std::time::Duration) -> String {
    let now = time::OffsetDateTime::from(crate::clock::now());
    let moment = time::Duration::try_from(ahead)
        .ok()
        .and_then(|ahead| now.checked_add(ahead))
        .unwrap_or(now);
    let whole = moment.replace_nanosecond(0).unwrap_or(moment);
    whole
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default()
}
