//! What the admin API answers: written by the host, read by the `berth` command.

use serde::{Deserialize, Serialize};

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReport {
    /// Stable code.
    pub error_code: String,
    /// For people.
    pub message: String,
}

/// The body of `PUT /logs/level`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLevelChange {
    /// `debug`, `info`, `warn` or `error`; absent: the app follows the host again.
    pub level: Option<String>,
}

/// `GET /logs/level`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLevelReport {
    /// The host's.
    pub level: String,
    /// Apps with one of their own.
    pub apps: Vec<AppLogLevel>,
}

/// The level of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppLogLevel {
    /// The tenant.
    pub namespace: String,
    /// App ID.
    pub app_id: String,
    /// Its level.
    pub level: String,
}

/// One app of `GET /apps`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppReport {
    /// The tenant.
    pub namespace: String,
    /// App ID.
    pub app_id: String,
    /// What the guest is: `http`, `subscriber`, `subscriptions`.
    pub exports: Vec<String>,
    /// Hosts and paths of the ingress; empty: not exposed, or everywhere as the only app.
    pub routes: Vec<String>,
    /// The guest's file.
    pub guest: String,
    /// Calls that run.
    pub in_flight: u32,
    /// Calls that wait.
    pub queued: u32,
    /// Calls since the guest was loaded.
    pub calls: u64,
    /// Of these, the ones that a limit or a fault ended.
    pub failures: u64,
    /// How long loading took.
    pub load_milliseconds: u64,
    /// Whether the compiled form came from the cache.
    pub from_cache: bool,
}

/// One backend of `GET /components`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentReport {
    /// The tenant.
    pub namespace: String,
    /// Name of the document.
    pub name: String,
    /// `spec.type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `spec.version`.
    pub version: String,
    /// Apps that may use it; empty: all of the namespace.
    pub scopes: Vec<String>,
    /// `healthy`, `unhealthy` or `failed`.
    pub status: HealthStatus,
    /// Why it is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its circuit breakers, if a resiliency policy has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub circuit_breakers: Vec<CircuitBreakerReport>,
}

/// One circuit breaker of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CircuitBreakerReport {
    /// Which app calls the backend, or gets its deliveries: each has its own.
    pub app: String,
    /// `outbound` or `inbound`.
    pub direction: String,
    /// `closed`, `half-open` or `open`.
    pub state: String,
}

/// Whether a backend works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It answered.
    Healthy,
    /// It is open but did not answer.
    Unhealthy,
    /// It could not be opened.
    Failed,
}

/// One subscription of `GET /subscriptions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionReport {
    /// The tenant.
    pub namespace: String,
    /// The app that receives.
    pub app_id: String,
    /// The pub/sub backend.
    pub pubsub: String,
    /// The topic.
    pub topic: String,
    /// Where messages go that fail for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_topic: Option<String>,
    /// Why nothing arrives at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One topic and group of `GET /depths`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DepthReport {
    /// The tenant.
    pub namespace: String,
    /// The pub/sub backend.
    pub pubsub: String,
    /// Topic as the broker knows it.
    pub topic: String,
    /// Consumer group; absent: nobody consumes the topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that are with a consumer.
    pub in_flight: u64,
}

/// What `GET /depths` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DepthsReport {
    /// By namespace, backend and topic.
    pub topics: Vec<DepthReport>,
    /// Backends that could not tell, with the reason.
    pub problems: Vec<DepthProblem>,
}

/// A backend that cannot tell its depths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepthProblem {
    /// The tenant.
    pub namespace: String,
    /// The pub/sub backend.
    pub pubsub: String,
    /// Why.
    pub error: String,
}

/// A message at rest of `GET /dlq/{pubsub}/{topic}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageReport {
    /// The broker's identifier.
    pub id: String,
    /// RFC 3339.
    pub published_at: String,
    /// Media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// As published, and what is known about its failure.
    pub metadata: std::collections::BTreeMap<String, String>,
    /// Bytes of the message.
    pub size: usize,
    /// The message as text, if it is text. A listing leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The message in base64, if it is not text. A listing leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
}

/// What `POST /dlq/{pubsub}/{topic}/{id}/resend` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResendReport {
    /// The topic that the message went back to.
    pub topic: String,
}
