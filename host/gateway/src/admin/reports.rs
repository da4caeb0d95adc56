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
    /// What the guest is: `http`, `subscriber`, `subscriptions`, `workflows`, `activities`.
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

/// One backend of `GET /components`; or, of type `app`, an app that is called under a circuit breaker.
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
    /// Which app calls, or gets the deliveries: each has its own.
    pub app: String,
    /// `outbound` or `inbound`, `invocation` for calls to apps.
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
/// Instances of `GET /workflows`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowPageReport {
    /// Newest first.
    pub instances: Vec<WorkflowReport>,
    /// Token of the page that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One workflow instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowReport {
    /// Its ID.
    pub instance_id: String,
    /// Whose workflow it is.
    pub app_id: String,
    /// Name of the workflow.
    pub workflow: String,
    /// `pending`, `running`, `suspended`, `stalled`, `completed`, `failed`, `canceled` or `terminated`.
    pub status: String,
    /// Set by the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_status: Option<String>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_on: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<String>,
    /// Why it is stalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Its input; absent in lists. JSON as it is, other text as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<serde_json::Value>,
    /// Its result; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<serde_json::Value>,
    /// Its error; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Events of its history.
    pub events: u64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// One event of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowEventReport {
    /// Its place in the history.
    pub number: u64,
    /// RFC 3339.
    pub at: String,
    /// Such as `activity-scheduled`.
    pub kind: String,
    /// What else there is to say.
    pub fields: serde_json::Value,
    /// Input, result or data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<serde_json::Value>,
}

/// An instance that was started, or found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowStartReport {
    /// Its ID.
    pub instance_id: String,
    /// It was there before.
    pub existed: bool,
}
