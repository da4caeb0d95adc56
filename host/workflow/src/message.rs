//! What arrives in an inbox, and what waits in the task queue.

use crate::{ActivityOptions, Failure, Payload, event::Parent};
use serde::{Deserialize, Serialize};

/// A message to an instance. Names of variants and fields are part of the stored form: add, never change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Message {
    /// An external event, with its data as payload.
    Raise { name: String },
    /// Pending operations end as canceled.
    Cancel { reason: String },
    /// Takes nothing in any more.
    Suspend { reason: String },
    /// Goes on.
    Resume { reason: String },
    /// Ends now; its children too, if `recursive`.
    Terminate { reason: String, recursive: bool },
    /// A child ended; the payload is its result, unless it failed.
    ChildEnded {
        execution: String,
        of: u64,
        failure: Option<Failure>,
    },
    /// An attempt of an activity ended elsewhere; the payload is its result, unless it failed.
    AttemptEnded {
        execution: String,
        of: u64,
        attempt: u32,
        failure: Option<Failure>,
    },
}

/// A message, decoded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Letter {
    pub(crate) message: Message,
    pub(crate) payload: Option<Payload>,
}

impl Message {
    /// Tells a parent how its child ended.
    pub(crate) fn child_ended(parent: &Parent, failure: Option<Failure>) -> Self {
        Self::ChildEnded {
            execution: parent.execution.clone(),
            of: parent.operation,
            failure,
        }
    }
}

/// A queued activity; the payload is its input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueuedActivity {
    pub(crate) name: String,
    pub(crate) execution: String,
    pub(crate) attempt: u32,
    pub(crate) options: ActivityOptions,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<String>,
}

/// How an instance ended: kept in its row, with the result as payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ended {
    /// With a result.
    Completed,
    /// With an error.
    Failed(Failure),
}
