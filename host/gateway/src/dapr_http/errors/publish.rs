//! From an error of a pub/sub backend to its row.

use super::{
    ApiError, PUBSUB_BULK_ENTRY, PUBSUB_BULK_PAYLOAD, PUBSUB_BULK_UNREADABLE, PUBSUB_EMPTY,
    PUBSUB_EVENT, PUBSUB_FORBIDDEN, PUBSUB_METADATA, PUBSUB_NOT_CONFIGURED, PUBSUB_NOT_FOUND,
    PUBSUB_PUBLISH, PUBSUB_PUBLISH_INVALID, PUBSUB_PUBLISH_TOO_LARGE, PUBSUB_TOPIC_EMPTY, Row,
};
use crate::dapr_http::reply;
use berth_blocks::{invocation::Body, pubsub::PubSubError};
use http::Response;
use serde::Serialize;

/// Where something was to be published.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct PublishCall<'c> {
    pub app: &'c str,
    pub pubsub: &'c str,
    pub topic: &'c str,
    /// Of the query.
    pub metadata: &'c [(String, String)],
}

impl<'c> PublishCall<'c> {
    fn query(&self) -> impl Iterator<Item = (&'c str, &'c str)> + use<'c> {
        let pairs = self.metadata.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn failed(&self, row: &Row, why: &str) -> ApiError {
        let (topic, pubsub) = (self.topic, self.pubsub);
        let message = format!("error when publishing to topic {topic} in pubsub {pubsub}: {why}");
        ApiError::new(row, message)
            .info([("topic", topic), ("error", why)])
            .of_pubsub(pubsub)
    }
}

/// Why nothing was published.
pub(in super::super) fn publish(error: &PubSubError, call: PublishCall<'_>) -> ApiError {
    use PubSubError as E;
    let (app, pubsub, topic) = (call.app, call.pubsub, call.topic);
    let why = error.to_string();
    match error {
        E::NotConfigured(_) => ApiError::new(
            &PUBSUB_NOT_CONFIGURED,
            format!("pubsub {pubsub} is not configured"),
        )
        .info(call.query()),
        E::NotFound(_) => ApiError::new(&PUBSUB_NOT_FOUND, format!("pubsub {pubsub} is not found"))
            .info(call.query()),
        E::Denied(_) => ApiError::new(
            &PUBSUB_FORBIDDEN,
            format!("topic {topic} is not allowed for app id {app}"),
        )
        .info([("topic", topic), ("error", &*why)])
        .of_pubsub(pubsub),
        E::InvalidMetadata(_) => ApiError::new(
            &PUBSUB_METADATA,
            format!("failed deserializing metadata. Error: {why}"),
        )
        .info(call.query())
        .of_pubsub(pubsub),
        E::InvalidEvent(_) => ApiError::new(&PUBSUB_EVENT, "cannot create cloudevent".to_owned())
            .info([("appID", app), ("error", &*why)])
            .of_pubsub(pubsub),
        E::InvalidEntry(_) => {
            let message = format!(
                "error marshaling events to bytes for topic {topic} pubsub {pubsub}. error: {why}"
            );
            ApiError::new(&PUBSUB_BULK_ENTRY, message)
                .info([("appID", app), ("error", &*why)])
                .of_pubsub(pubsub)
        }
        E::Invalid(_) => call.failed(&PUBSUB_PUBLISH_INVALID, &why),
        E::TooLarge(_) => call.failed(&PUBSUB_PUBLISH_TOO_LARGE, &why),
        E::Unsupported(_) | E::Unavailable(_) | E::Timeout(_) | E::Other(_) => {
            call.failed(&PUBSUB_PUBLISH, &why)
        }
    }
}

/// The body could not be read.
pub(in super::super) fn publish_unread(why: &str, call: PublishCall<'_>) -> ApiError {
    call.failed(&PUBSUB_PUBLISH, why)
}

/// The path names no pub/sub backend.
pub(in super::super) fn pubsub_empty(call: PublishCall<'_>) -> ApiError {
    ApiError::new(&PUBSUB_EMPTY, "pubsub name is empty".to_owned())
        .info(call.query())
        .of_pubsub("")
}

/// The path names no topic.
pub(in super::super) fn topic_empty(call: PublishCall<'_>) -> ApiError {
    let message = format!("topic is empty in pubsub {}", call.pubsub);
    ApiError::new(&PUBSUB_TOPIC_EMPTY, message)
        .info(call.query())
        .of_pubsub(call.pubsub)
}

/// The body is no list of entries.
pub(in super::super) fn bulk_unreadable(why: &str, call: PublishCall<'_>) -> ApiError {
    let (topic, pubsub) = (call.topic, call.pubsub);
    let message =
        format!("error when unmarshaling the request for topic {topic} pubsub {pubsub}: {why}");
    ApiError::new(&PUBSUB_BULK_UNREADABLE, message)
        .info([("appID", call.app)])
        .of_pubsub(pubsub)
}

/// The event of an entry does not fit its content type.
pub(in super::super) fn bulk_payload(why: &str, call: PublishCall<'_>) -> ApiError {
    let (topic, pubsub) = (call.topic, call.pubsub);
    let message = format!(
        "error when marshalling cloud event envelope for topic {topic} pubsub {pubsub}: {why}"
    );
    ApiError::new(&PUBSUB_BULK_PAYLOAD, message)
        .info([("appID", call.app), ("error", why)])
        .of_pubsub(pubsub)
}

/// What a bulk call answers when some entries, or all, were not published.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FailedEntries<'f> {
    failed_entries: Vec<FailedEntry<'f>>,
    error_code: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FailedEntry<'f> {
    entry_id: &'f str,
    error: String,
}

/// Which entries were not published.
pub(in super::super) fn failed_entries(failed: &[(String, PubSubError)]) -> Response<Body> {
    let failed = failed.iter().map(|(entry_id, error)| FailedEntry {
        entry_id,
        error: error.to_string(),
    });
    let report = FailedEntries {
        failed_entries: failed.collect(),
        error_code: PUBSUB_PUBLISH.code,
    };
    reply::json_with(PUBSUB_PUBLISH.status, &report)
}
