//! Metadata that berth itself reads, whatever the driver: key prefixes, who keeps workflows, topic scopes, consumer groups.

use super::workflows;
use crate::{
    backend::{Backend, Block},
    keys::KeyPrefix,
    registry::metadata::truthy,
    scopes::{TopicRules, TopicScopes, topic_list},
};
use std::collections::BTreeMap;

/// What berth does with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Reads it.
    Applied,
    /// Knows it, and does nothing yet.
    NotYet,
    /// Knows it, and refuses: to go on without it would do harm.
    Refused,
}

/// Every entry, by block.
const ENTRIES: [(&str, Block, Treatment); 13] = [
    ("keyPrefix", Block::State, Treatment::Applied),
    (workflows::ENTRY, Block::State, Treatment::Applied),
    ("outboxPublishPubsub", Block::State, Treatment::NotYet),
    ("outboxPublishTopic", Block::State, Treatment::NotYet),
    ("outboxPubsub", Block::State, Treatment::NotYet),
    (
        "outboxDiscardWhenMissingState",
        Block::State,
        Treatment::NotYet,
    ),
    // Who asks for encryption must not get plain text.
    ("primaryEncryptionKey", Block::State, Treatment::Refused),
    ("secondaryEncryptionKey", Block::State, Treatment::Refused),
    ("publishingScopes", Block::PubSub, Treatment::Applied),
    ("subscriptionScopes", Block::PubSub, Treatment::Applied),
    ("allowedTopics", Block::PubSub, Treatment::Applied),
    ("protectedTopics", Block::PubSub, Treatment::Applied),
    ("consumerID", Block::PubSub, Treatment::Applied),
];

/// The entry with this name in the metadata of a backend of this block.
pub(super) fn entry(block: Block, name: &str) -> Option<(&'static str, Treatment)> {
    let mut own = ENTRIES
        .iter()
        .filter(|(known, of, _)| *of == block && known.eq_ignore_ascii_case(name));
    own.next().map(|(known, _, treatment)| (*known, *treatment))
}

/// Names of the entries of a block.
pub(super) fn names(block: Block) -> impl Iterator<Item = &'static str> {
    ENTRIES
        .iter()
        .filter(move |(_, of, _)| *of == block)
        .map(|(name, _, _)| *name)
}

/// Values by the spelling of [`entry`].
pub(super) type Values = BTreeMap<&'static str, String>;

/// Why a value cannot be used: the entry and what was expected.
pub(super) type Wrong = (&'static str, String);

/// Puts the rules of a document into a backend.
pub(super) fn apply(values: &Values, backend: &mut Backend) -> Result<(), Wrong> {
    let text = |name: &str| values.get(name).map_or("", String::as_str);
    backend.key_prefix =
        KeyPrefix::parse(text("keyPrefix")).map_err(|wrong| ("keyPrefix", wrong))?;
    backend.keeps_workflows = truthy(text(workflows::ENTRY)).ok_or_else(|| {
        let found = text(workflows::ENTRY);
        let message = format!("`{found}` is not a boolean: expected `true` or `false`");
        (workflows::ENTRY, message)
    })?;
    let scopes = |name: &'static str| TopicScopes::parse(text(name)).map_err(|wrong| (name, wrong));
    backend.topics = TopicRules::new(
        scopes("publishingScopes")?,
        scopes("subscriptionScopes")?,
        topic_list(text("allowedTopics")),
        topic_list(text("protectedTopics")),
    );
    // As in Dapr, an identifier of blanks counts as none.
    backend.consumer_id = Some(text("consumerID").trim().to_owned()).filter(|id| !id.is_empty());
    Ok(())
}
