//! What a workflow asked for and awaits.

use crate::{ActivityOptions, Payload, RetryPolicy, WaitError};
use berth_blocks::workflow::Timestamp;

/// How an operation ended, as the code sees it.
pub(crate) type Outcome = Result<Payload, WaitError>;

/// A command that ends some time later. Its number is that of its event.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) kind: OperationKind,
    /// When it was asked for.
    pub(crate) at: Timestamp,
    /// `None`: pending.
    pub(crate) outcome: Option<Outcome>,
}

/// What kind of operation, with what it takes to begin it.
#[derive(Debug, Clone)]
pub(crate) enum OperationKind {
    Activity(Activity),
    Timer {
        due: Timestamp,
    },
    Event {
        name: String,
        due: Option<Timestamp>,
    },
    Child(Child),
}

/// A child on its way.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub(crate) name: String,
    pub(crate) app: Option<String>,
    /// The instance ID that the first attempt got.
    pub(crate) first_id: String,
    /// The instance ID of the present attempt.
    pub(crate) id: String,
    pub(crate) input: Payload,
    pub(crate) retry: Option<Box<RetryPolicy>>,
    pub(crate) failed_attempts: u32,
}

/// An activity on its way.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    pub(crate) name: String,
    pub(crate) input: Payload,
    pub(crate) options: ActivityOptions,
    pub(crate) queued: bool,
    /// Attempts that are known to have failed.
    pub(crate) failed_attempts: u32,
    /// The attempt whose beginning is recorded, if its end is not.
    pub(crate) begun_attempt: Option<u32>,
    /// When the next attempt begins.
    pub(crate) retry_at: Option<Timestamp>,
    /// It was pending when its host ended, so it may be what ended it: attempts are recorded before they begin.
    pub(crate) suspect: bool,
}

impl Activity {
    /// The present attempt, from 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.failed_attempts.saturating_add(1)
    }
}

impl Operation {
    pub(crate) fn new(kind: OperationKind, at: Timestamp) -> Self {
        Self {
            kind,
            at,
            outcome: None,
        }
    }

    /// When time ends it, if it does.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        match &self.kind {
            OperationKind::Timer { due } => Some(*due),
            OperationKind::Event { due, .. } => *due,
            OperationKind::Activity(_) | OperationKind::Child(_) => None,
        }
    }

    pub(crate) fn activity(&self) -> Option<&Activity> {
        match &self.kind {
            OperationKind::Activity(activity) => Some(activity),
            _ => None,
        }
    }

    pub(crate) fn activity_mut(&mut self) -> Option<&mut Activity> {
        match &mut self.kind {
            OperationKind::Activity(activity) => Some(activity),
            _ => None,
        }
    }

    /// Nobody asks for the input of an operation that has ended.
    pub(super) fn drop_input(&mut self) {
        if let OperationKind::Activity(Activity { input, .. })
        | OperationKind::Child(Child { input, .. }) = &mut self.kind
        {
            *input = Payload::default();
        }
    }

    /// What messages call it.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            OperationKind::Activity(activity) => match activity.failed_attempts {
                0 => format!("activity \"{}\"", activity.name),
                _ => format!(
                    "activity \"{}\", attempt {}",
                    activity.name,
                    activity.attempt()
                ),
            },
            OperationKind::Timer { due } => format!("timer {:?}", self.at.until(*due)),
            OperationKind::Event { name, .. } => format!("event \"{name}\""),
            OperationKind::Child(child) => {
                format!("child workflow \"{}\" ({})", child.name, child.id)
            }
        }
    }
}
