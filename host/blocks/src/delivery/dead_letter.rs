//! Dead letters: the original bytes, with marks in the metadata that say what happened.

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
