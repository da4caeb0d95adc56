//! What apps and tools ask of workflow instances: the trait behind the `client` doors.

use super::{InstanceKey, InstancePage, InstanceQuery, InstanceRow, Timestamp};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Bytes of an application, with their media type. Opaque to the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload {
    /// The bytes.
    pub data: Bytes,
    /// Their media type, if the sender gave one.
    pub content_type: Option<String>,
}

impl Payload {
    /// Bytes without a media type.
    pub fn bytes(data: impl Into<Bytes>) -> Self {
        Self {
            data: data.into(),
            content_type: None,
        }
    }

    /// The text form of a JSON value.
    pub fn json(text: impl Into<String>) -> Self {
        Self {
            data: Bytes::from(text.into()),
            content_type: Some("application/json".to_owned()),
        }
    }
}

/// Why an activity, a child or a workflow failed. Part of the history, so that every replay sees the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Failure {
    /// What retry policies match: a name that the application chose, or one of the constants here.
    #[serde(rename = "t")]
    pub kind: String,
    /// What happened, for people.
    #[serde(rename = "m")]
    pub message: String,
    /// Another attempt cannot help.
    #[serde(rename = "f", default, skip_serializing_if = "std::ops::Not::not")]
    pub non_retryable: bool,
}

impl Failure {
    /// The attempt took longer than its start-to-close timeout.
    pub const TIMEOUT: &'static str = "berth.timeout";
    /// The guest trapped, or a limit of its app ended it.
    pub const TRAP: &'static str = "berth.trap";
    /// The app could not take the call: too many of its calls are under way.
    pub const OVERLOADED: &'static str = "berth.overloaded";
    /// The app has no activity or workflow of this name.
    pub const UNKNOWN: &'static str = "berth.unknown";
    /// The operation was canceled together with the workflow that waits for it.
    pub const CANCELED: &'static str = "berth.canceled";
    /// The child was ended from outside.
    pub const TERMINATED: &'static str = "berth.terminated";
    /// The host ended while the attempt ran, and its result is unknown.
    pub const LOST: &'static str = "berth.lost";
    /// Another instance has the ID of the child.
    pub const EXISTS: &'static str = "berth.exists";
    /// Over a limit of the engine.
    pub const TOO_LARGE: &'static str = "berth.too-large";

    /// A failure that another attempt may cure.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            message: message.into(),
            non_retryable: false,
        }
    }

    /// The same, but final.
    #[must_use]
    pub fn non_retryable(self) -> Self {
        Self {
            non_retryable: true,
            ..self
        }
    }
}

/// Why a call about an instance failed: the variant says what the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkflowError {
    /// There is no such instance, or no such workflow.
    #[error("{0}")]
    NotFound(String),
    /// The ID is taken.
    #[error("{0}")]
    Exists(String),
    /// Forbidden.
    #[error("{0}")]
    Denied(String),
    /// The request is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The instance is not in a state that allows this.
    #[error("{0}")]
    NotAllowed(String),
    /// Over a limit.
    #[error("{0}")]
    TooLarge(String),
    /// Another attempt may cure it; whether it happened is unknown.
    #[error("{0}")]
    Unavailable(String),
    /// It did not happen in time.
    #[error("{0}")]
    Timeout(String),
}

/// Whether the ID of an instance that has ended may be used again; its history is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reuse {
    /// However it ended.
    #[default]
    Ended,
    /// If it did not complete.
    Failed,
    /// Never.
    Never,
}

/// What happens when the ID belongs to an instance that may not be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conflict {
    /// An error.
    #[default]
    Fail,
    /// The existing instance is the answer. With [`Reuse::Never`] starting is idempotent: whoever does not know whether
    /// a start went through may repeat it.
    UseExisting,
    /// One that has not ended is terminated first. One that may not be replaced stays an error.
    Terminate,
}

/// How an instance is started.
#[derive(Debug, Clone, Default)]
pub struct StartOptions {
    /// When its code first runs; absent: now.
    pub at: Option<Timestamp>,
    /// Whether the ID of an instance that has ended may be used again.
    pub reuse: Reuse,
    /// What happens when the ID is taken.
    pub conflict: Conflict,
    /// W3C `traceparent` of the caller.
    pub traceparent: Option<String>,
}

/// An instance that was started, or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedInstance {
    /// Its row.
    pub row: InstanceRow,
    /// It existed before.
    pub existed: bool,
}

/// How an instance is run again.
#[derive(Debug, Clone, Default)]
pub struct RerunOptions {
    /// Takes the place of the input of the event: of an activity, or of the workflow itself for event 0.
    pub input: Option<Payload>,
    /// How the new instance is started.
    pub start: StartOptions,
}

/// An instance, with its outcome decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceView {
    /// Its row.
    pub row: InstanceRow,
    /// Result or error, when it has ended.
    pub outcome: Option<Result<Payload, Failure>>,
}

/// One event of a history, for people and tools.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    /// When it happened; for what the workflow asked for, the time that it saw.
    pub at: Timestamp,
    /// What happened, such as `activity-scheduled`.
    pub kind: String,
    /// The fields of the event.
    pub fields: serde_json::Value,
    /// Input, result or data, where the event has one.
    pub payload: Option<Payload>,
}

/// The workflows of a host. Starts instances and looks after them, within the namespace of their key.
#[async_trait]
pub trait WorkflowEngine: Send + Sync + 'static {
    /// Starts an instance. When this returns, it is stored and will run, whatever happens.
    ///
    /// # Errors
    /// A bad name, ID or input; the ID is taken; or the store cannot be reached.
    async fn start(
        &self,
        key: &InstanceKey,
        workflow: &str,
        input: Payload,
        options: StartOptions,
    ) -> Result<StartedInstance, WorkflowError>;

    /// An instance; `None`: there is none.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn get(&self, key: &InstanceKey) -> Result<Option<InstanceView>, WorkflowError>;

    /// Waits until an instance has ended.
    ///
    /// # Errors
    /// There is none; it has not ended in time; or the store cannot be reached.
    async fn wait(
        &self,
        key: &InstanceKey,
        timeout: Option<Duration>,
    ) -> Result<InstanceView, WorkflowError>;

    /// Sends an external event. One with an ID that was sent before is dropped; one to an instance that has ended, too.
    ///
    /// # Errors
    /// A bad name or payload; no such instance; or the store cannot be reached.
    async fn raise_event(
        &self,
        key: &InstanceKey,
        name: &str,
        payload: Payload,
        id: Option<String>,
    ) -> Result<(), WorkflowError>;

    /// Asks a workflow to cancel: its pending operations end as canceled, later ones work. Nothing happens to one that
    /// has ended.
    ///
    /// # Errors
    /// No such instance; or the store cannot be reached.
    async fn cancel(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError>;

    /// Lets nothing more happen in an instance until it is resumed.
    ///
    /// # Errors
    /// No such instance, or it has ended; or the store cannot be reached.
    async fn suspend(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError>;

    /// Lets a suspended instance go on.
    ///
    /// # Errors
    /// No such instance, or it has ended; or the store cannot be reached.
    async fn resume(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError>;

    /// Ends an instance, and if `recursive` its children. Nothing happens to one that has ended.
    ///
    /// # Errors
    /// No such instance; or the store cannot be reached.
    async fn terminate(
        &self,
        key: &InstanceKey,
        reason: &str,
        recursive: bool,
    ) -> Result<(), WorkflowError>;

    /// Removes an instance that has ended (or any, if `force`), and if `recursive` the children that it started.
    /// `false`: there was none.
    ///
    /// # Errors
    /// It has not ended; or the store cannot be reached.
    async fn purge(
        &self,
        key: &InstanceKey,
        force: bool,
        recursive: bool,
    ) -> Result<bool, WorkflowError>;

    /// Instances that match, newest first.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn list(&self, query: InstanceQuery) -> Result<InstancePage, WorkflowError>;

    /// Events of an instance's history from number `from` on, at most `limit`.
    ///
    /// # Errors
    /// There is no such instance; or the store cannot be reached.
    async fn history(
        &self,
        key: &InstanceKey,
        from: u64,
        limit: usize,
    ) -> Result<Vec<HistoryEvent>, WorkflowError>;

    /// Starts a new instance with the history of another up to event `from`, which is run again: an activity that was
    /// asked for there is called again, and everything after it happens anew. The other instance is not touched.
    ///
    /// # Errors
    /// There is no such instance or event; the event is not one that the workflow asked for; the new ID is taken; or the
    /// store cannot be reached.
    async fn rerun(
        &self,
        key: &InstanceKey,
        from: u64,
        new_id: &str,
        options: RerunOptions,
    ) -> Result<StartedInstance, WorkflowError>;
}
