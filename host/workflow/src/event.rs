//! The history of an instance: what happened, in the order in which its code saw it.
//!
//! A history interleaves two kinds of events. *Commands* are what the workflow asked for (an activity, a timer, a child,
//! a wait); they follow from everything before them. *Deliveries* are what it was given (a result, an external event, a
//! cancellation); each was delivered when the code had nothing left to do but wait. Replaying is running the code again
//! and giving it the deliveries at the same places: it must ask for the same commands. *Marks* are for the engine alone
//! and may stand anywhere.

use crate::{ActivityOptions, Failure, Payload, RetryPolicy};
use berth_blocks::workflow::Timestamp;
use berth_telemetry::trace::SpanContext;
use serde::{Deserialize, Serialize};
use sha2::Digest;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// For a command the time of the last delivery before it, which is the time that the workflow sees.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// Input, result or data, where the kind has one.
    pub payload: Option<Payload>,
}

/// What happened. Names of variants and fields are part of the stored form: add, never change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// First event of every run; the payload is the input.
    Started(Started),
    /// Command: an activity. The payload is its input.
    ActivityScheduled(ActivityScheduled),
    /// Mark: an attempt is about to begin.
    ActivityStarted {
        /// The operation: the number of the command.
        of: u64,
        /// From 1.
        attempt: u32,
    },
    /// Mark: an attempt failed and another will follow.
    ActivityRetrying {
        /// The operation.
        of: u64,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When the next one begins (milliseconds since 1970).
        retry_at: i64,
    },
    /// Delivery: the result of an activity, as payload.
    ActivityCompleted {
        /// The operation.
        of: u64,
    },
    /// Delivery: the last attempt failed.
    ActivityFailed {
        /// The operation.
        of: u64,
        /// Why.
        failure: Failure,
    },
    /// Command: a timer.
    TimerCreated {
        /// When it fires (milliseconds since 1970).
        due: i64,
    },
    /// Delivery: a timer fired, or a wait for an event timed out.
    TimerFired {
        /// The operation.
        of: u64,
    },
    /// Command: a wait for an external event.
    EventAwaited {
        /// Its name.
        name: String,
        /// When the wait ends (milliseconds since 1970); absent: never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<i64>,
    },
    /// Delivery: an external event, with its data as payload.
    EventRaised {
        /// Its name.
        name: String,
    },
    /// Command: a child workflow. The payload is its input.
    ChildScheduled(ChildScheduled),
    /// Mark: a child failed, and another is started in its place.
    ChildRetrying {
        /// The operation.
        of: u64,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// The instance ID of the next child.
        id: String,
        /// When its code first runs (milliseconds since 1970).
        retry_at: i64,
    },
    /// Delivery: a child ended with a result, as payload.
    ChildCompleted {
        /// The operation.
        of: u64,
    },
    /// Delivery: a child ended with an error, or could not be started.
    ChildFailed {
        /// The operation.
        of: u64,
        /// Why.
        failure: Failure,
    },
    /// Command: code that was changed while instances were running takes the new path.
    Patched {
        /// Names the change.
        id: String,
    },
    /// Delivery: somebody asked the workflow to cancel. Every pending operation ends as canceled.
    CancelRequested {
        /// Why.
        reason: String,
    },
    /// Mark: nothing is delivered from here on.
    Suspended {
        /// Why.
        reason: String,
    },
    /// Mark: deliveries go on.
    Resumed {
        /// Why.
        reason: String,
    },
}

/// The first event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Name of the workflow.
    pub workflow: String,
    /// Tells the runs of one instance ID apart.
    pub execution: String,
    /// Seeds the randomness that the workflow sees; absent: the execution. A copy of another run has that run's, since its
    /// history depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// No code runs before (milliseconds since 1970); absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<i64>,
    /// Who waits for the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// How often the instance has continued as new.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u64,
    /// Who started it, as W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Started {
    /// The W3C `traceparent` of the run itself, below which all that it does nests. Its span ID follows from the run, so
    /// that every host that drives it names the same span; the one on which it ends records it.
    pub(crate) fn own_traceparent(&self) -> Option<String> {
        let starter: SpanContext = self.traceparent.as_deref()?.parse().ok()?;
        let digest = sha2::Sha256::digest(format!("span of {}", self.execution));
        let seed = digest[..8].try_into().ok()?;
        Some(starter.child_of_seed(seed).to_string())
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The operation of another instance, in the same namespace, that waits for this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its app.
    pub app: String,
    /// Its instance ID.
    pub id: String,
    /// Its run.
    pub execution: String,
    /// The operation.
    pub operation: u64,
}

/// An activity that a workflow asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityScheduled {
    /// Name of the activity.
    pub name: String,
    /// How it is called; absent: the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Box<ActivityOptions>>,
    /// It waits in the task queue of the store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub queued: bool,
    /// Its input was replaced when the history was copied: the code may ask with another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub input_replaced: bool,
}

/// A child that a workflow asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildScheduled {
    /// Name of the workflow.
    pub name: String,
    /// Its app; absent: the parent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The instance ID that the parent asked for, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_id: Option<String>,
    /// The instance ID that it got.
    pub id: String,
    /// When it is started again after it failed; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Box<RetryPolicy>>,
}

/// How an event takes part in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Command,
    Delivery,
    Mark,
}

impl EventKind {
    pub(crate) fn role(&self) -> Role {
        match self {
            Self::ActivityScheduled(_)
            | Self::TimerCreated { .. }
            | Self::EventAwaited { .. }
            | Self::ChildScheduled(_)
            | Self::Patched { .. } => Role::Command,
            Self::ActivityCompleted { .. }
            | Self::ActivityFailed { .. }
            | Self::TimerFired { .. }
            | Self::EventRaised { .. }
            | Self::ChildCompleted { .. }
            | Self::ChildFailed { .. }
            | Self::CancelRequested { .. } => Role::Delivery,
            Self::Started(_)
            | Self::ActivityStarted { .. }
            | Self::ActivityRetrying { .. }
            | Self::ChildRetrying { .. }
            | Self::Suspended { .. }
            | Self::Resumed { .. } => Role::Mark,
        }
    }
}

impl Event {
    /// An event as stores keep it. A payload that lies in a blob is left empty.
    ///
    /// # Errors
    /// The bytes are damaged or of a newer version.
    pub fn decode(body: &bytes::Bytes) -> Result<Self, crate::DecodeError> {
        crate::codec::decode_event(body).map(|stored| stored.event)
    }

    /// An event without a payload.
    #[must_use]
    pub fn new(at: Timestamp, kind: EventKind) -> Self {
        Self {
            at,
            kind,
            payload: None,
        }
    }

    /// With a payload.
    #[must_use]
    pub fn with(self, payload: Payload) -> Self {
        Self {
            payload: Some(payload),
            ..self
        }
    }

    /// What messages call it: `activity "charge"`, `timer 30s`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            EventKind::Started(started) => format!("start of \"{}\"", started.workflow),
            EventKind::ActivityScheduled(activity) => match activity_app(activity) {
                Some(app) => format!("activity \"{}\" of app \"{app}\"", activity.name),
                None => format!("activity \"{}\"", activity.name),
            },
            EventKind::ActivityStarted { of, attempt } => {
                format!("attempt {attempt} of activity at event {of}")
            }
            EventKind::ActivityRetrying { of, attempt, .. } => {
                format!("failure of attempt {attempt} of activity at event {of}")
            }
            EventKind::ActivityCompleted { of } => format!("result of activity at event {of}"),
            EventKind::ActivityFailed { of, .. } => format!("failure of activity at event {of}"),
            EventKind::TimerCreated { due } => {
                format!("timer {:?}", self.at.until(Timestamp(*due)))
            }
            EventKind::TimerFired { of } => format!("timer of event {of} fired"),
            EventKind::EventAwaited { name, due: None } => format!("wait for event \"{name}\""),
            EventKind::EventAwaited {
                name,
                due: Some(due),
            } => {
                let timeout = self.at.until(Timestamp(*due));
                format!("wait for event \"{name}\" with timeout {timeout:?}")
            }
            EventKind::EventRaised { name } => format!("event \"{name}\""),
            EventKind::ChildScheduled(child) => match &child.asked_id {
                Some(id) => format!("child workflow \"{}\" with ID \"{id}\"", child.name),
                None => format!("child workflow \"{}\"", child.name),
            },
            EventKind::ChildRetrying { of, attempt, .. } => {
                format!("failure of attempt {attempt} of child at event {of}")
            }
            EventKind::ChildCompleted { of } => format!("result of child at event {of}"),
            EventKind::ChildFailed { of, .. } => format!("failure of child at event {of}"),
            EventKind::Patched { id } => format!("patch \"{id}\""),
            EventKind::CancelRequested { .. } => "request to cancel".to_owned(),
            EventKind::Suspended { .. } => "suspension".to_owned(),
            EventKind::Resumed { .. } => "resumption".to_owned(),
        }
    }
}

fn activity_app(activity: &ActivityScheduled) -> Option<&str> {
    activity.options.as_ref()?.app.as_deref()
}
