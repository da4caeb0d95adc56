//! Errors that belong to a history: of activities, children and workflows.

use serde::{Deserialize, Serialize};

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

/// Why waiting for an operation gave no result: what a workflow sees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The activity or child failed, all attempts made.
    #[error(transparent)]
    Failed(Failure),
    /// The event did not come in time.
    #[error("{0}")]
    TimedOut(String),
    /// The workflow was asked to cancel while the operation was pending. Operations that begin later work.
    #[error("{0}")]
    Canceled(String),
}

impl Failure {
    /// A message of bounded length: it becomes part of a history.
    pub(crate) fn cut(mut self) -> Self {
        let cut = |text: &mut String, max: usize| {
            if text.len() > max {
                let end = (0..=max).rev().find(|end| text.is_char_boundary(*end));
                text.truncate(end.unwrap_or(0));
            }
        };
        cut(&mut self.message, crate::limits::FAILURE_BYTES_MAX);
        cut(&mut self.kind, crate::limits::NAME_BYTES_MAX);
        self
    }
}
