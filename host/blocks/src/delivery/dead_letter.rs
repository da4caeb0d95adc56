//! Dead letters: the original bytes, with marks in the metadata that say what happened.

use crate::{
    backend::Grant,
    clock,
    pipeline::{Operation, call},
    pubsub::{InboundMessage, OutboundMessage, PubSubError},
};
use berth_resources::AppId;
use berth_telemetry::trace::Trace;
use std::time::Duration;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Metadata of a dead letter: the topic, as the broker knows it, that the message came from.
pub const TOPIC: &str = "deadLetterOriginalTopic";
/// The app whose handler failed.
pub const APP: &str = "deadLetterApp";
/// Why.
pub const REASON: &str = "deadLetterReason";
/// Deliveries that were made.
pub const ATTEMPTS: &str = "deadLetterAttempts";
/// When the last one failed, RFC 3339.
pub const FAILED_AT: &str = "deadLetterFailedAt";

/// How long a dead letter can be read.
const RETAIN: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the broker may take.
const BUDGET: Duration = Duration::from_secs(30);
/// Bytes of the reason that are kept.
const REASON_MAX: usize = 1_000;

/// Why a message is not delivered any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Death {
    pub(super) reason: String,
    pub(super) attempts: u32,
}

/// The dead letter of a message, without its topic.
pub(super) fn write(
    message: &InboundMessage,
    app: &AppId,
    topic: &str,
    death: &Death,
) -> OutboundMessage {
    let mut metadata = without_marks(&message.metadata);
    let partition_key = metadata
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("partitionKey"));
    let partition_key = partition_key.map(|(_, key)| key.clone());
    let reason: String = death.reason.chars().take(REASON_MAX).collect();
    let marks = [
        (TOPIC, topic.to_owned()),
        (APP, app.to_string()),
        (REASON, reason),
        (ATTEMPTS, death.attempts.to_string()),
        (
            FAILED_AT,
            OffsetDateTime::from(clock::now())
                .format(&Rfc3339)
                .unwrap_or_default(),
        ),
    ];
    metadata.extend(marks.map(|(name, value)| (name.to_owned(), value)));
    OutboundMessage {
        topic: String::new(),
        data: message.data.clone(),
        content_type: message.content_type.clone().unwrap_or_default(),
        ttl: None,
        partition_key,
        metadata,
        retain: Some(RETAIN),
    }
}

/// Publishes a dead letter to the backend that the message came from. Topic scopes do not apply: the operator named
/// the topic.
pub(super) async fn publish(
    grant: &Grant,
    topic: &str,
    letter: OutboundMessage,
    trace: &Trace,
) -> Result<(), PubSubError> {
    let letter = OutboundMessage {
        topic: [&grant.topic_prefix, topic].concat(),
        ..letter
    };
    let deadline = clock::instant() + BUDGET;
    let publish = |letter| async { grant.broker()?.publish(letter).await };
    let span = Operation::DeadLetter.span(trace, &grant.calls);
    if span.is_recorded() {
        span.set("messaging.destination.name", topic.to_owned());
    }
    call(
        grant,
        Operation::DeadLetter,
        (span, deadline),
        letter,
        publish,
    )
    .await
}

/// Where a dead letter came from.
#[must_use]
pub fn original_topic(metadata: &[(String, String)]) -> Option<&str> {
    let mark = metadata.iter().find(|(name, _)| name == TOPIC);
    mark.map(|(_, topic)| topic.as_str())
}

/// The metadata of the message before it died.
#[must_use]
pub fn without_marks(metadata: &[(String, String)]) -> Vec<(String, String)> {
    const MARKS: [&str; 5] = [TOPIC, APP, REASON, ATTEMPTS, FAILED_AT];
    let own = metadata
        .iter()
        .filter(|(name, _)| !MARKS.contains(&name.as_str()));
    own.cloned().collect()
}
