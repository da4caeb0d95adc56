//! `kind: Subscription` (dapr.io/v1alpha1 and v2alpha1): which topic goes to which route.

use crate::{AppId, Namespace, Origin};
use std::time::Duration;

/// A declared subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// `metadata.name`.
    pub name: String,
    /// The tenant.
    pub namespace: Namespace,
    /// `spec.pubsubname`.
    pub pubsub: String,
    /// Where `spec.pubsubname` stands: the place of errors about a backend that does not exist.
    pub pubsub_origin: Origin,
    /// `spec.topic`.
    pub topic: String,
    /// Tried in order; the first match wins.
    pub rules: Vec<Rule>,
    /// Where messages go that no rule matches; absent: they are dropped.
    pub default_route: Option<String>,
    /// `spec.deadLetterTopic`.
    pub dead_letter_topic: Option<String>,
    /// `spec.bulkSubscribe`, if enabled.
    pub bulk: Option<BulkSettings>,
    /// `spec.metadata`, such as `rawPayload`.
    pub metadata: Vec<(String, String)>,
    /// Apps that it applies to; empty: all of the namespace.
    pub scopes: Vec<AppId>,
    /// Where the document stands.
    pub origin: Origin,
}

/// One routing rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// CEL over `event`; empty: always.
    pub expression: String,
    /// Route to deliver to.
    pub path: String,
}

/// Delivery of several messages at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkSettings {
    /// Most messages of one call; Dapr's default is 100.
    pub max_messages: u32,
    /// Longest wait for a batch to fill; Dapr's default is 1 s.
    pub max_await: Duration,
}
