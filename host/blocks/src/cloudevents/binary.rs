//! Events in binary mode: the attributes stand in the broker's metadata as `ce_<name>` or `ce-<name>`.

use super::{CloudEvent, EVENT_TYPE, SPEC_VERSION, UNKNOWN_SOURCE};
use bytes::Bytes;

/// The event, if the metadata holds one.
pub(crate) fn from_binary(
    metadata: &[(String, String)],
    data: &Bytes,
    content_type: Option<&str>,
) -> Option<CloudEvent> {
    let mut event = CloudEvent {
        source: UNKNOWN_SOURCE.to_owned(),
        event_type: EVENT_TYPE.to_owned(),
        data: data.clone(),
        data_content_type: content_type.map(str::to_owned),
        ..CloudEvent::default()
    };
    for (name, value) in metadata {
        let lower = name.to_ascii_lowercase();
        let Some(attribute) = lower
            .strip_prefix("ce_")
            .or_else(|| lower.strip_prefix("ce-"))
        else {
            continue;
        };
        let value = value.clone();
        match attribute {
            "id" => event.id = value,
            "source" => event.source = value,
            "type" => event.event_type = value,
            "specversion" => event.spec_version = value,
            "subject" => event.subject = Some(value),
            "time" => event.time = Some(value),
            "datacontenttype" => event.data_content_type = Some(value),
            other => event.extensions.push((other.to_owned(), value)),
        }
    }
    let present = event.spec_version == SPEC_VERSION || !event.id.is_empty();
    if event.spec_version.is_empty() {
        event.spec_version = SPEC_VERSION.to_owned();
    }
    present.then_some(event)
}
