//! What is asked, and how it ends, as spans and metrics name it.

use super::Calls;
use berth_telemetry::trace::{Span, SpanKind, Trace};

macro_rules! operations {
    ($($operation:ident $name:literal),* $(,)?) => {
        /// What is asked of a backend.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Operation {
            $($operation),*
        }

        impl Operation {
            pub(super) const COUNT: usize = [$($name),*].len();

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$operation => $name),* }
            }
        }
    };
}

operations! {
    StateGet "state.get",
    StateSet "state.set",
    StateDelete "state.delete",
    StateBulkGet "state.bulk_get",
    StateBulkSet "state.bulk_set",
    StateBulkDelete "state.bulk_delete",
    StateTransact "state.transact",
    StateListKeys "state.list_keys",
    Publish "pubsub.publish",
    BulkPublish "pubsub.bulk_publish",
    DeadLetter "pubsub.dead_letter",
    SecretGet "secrets.get",
    SecretBulk "secrets.bulk",
    Invoke "invocation.invoke",
    WorkflowStart "workflow.start",
    WorkflowGet "workflow.get",
    WorkflowWait "workflow.wait",
    WorkflowRaiseEvent "workflow.raise_event",
    WorkflowCancel "workflow.cancel",
    WorkflowSuspend "workflow.suspend",
    WorkflowResume "workflow.resume",
    WorkflowTerminate "workflow.terminate",
    WorkflowPurge "workflow.purge",
    WorkflowList "workflow.list",
    WorkflowHistory "workflow.history",
    WorkflowRerun "workflow.rerun",
}

impl Operation {
    /// The span of one call: its attempts, until the caller has its answer.
    pub(crate) fn span(self, trace: &Trace, calls: &Calls) -> Span {
        if !trace.is_recorded() {
            return Span::none();
        }
        let kind = match self {
            Self::Publish | Self::BulkPublish | Self::DeadLetter => SpanKind::Producer,
            _ => SpanKind::Client,
        };
        let span = trace.span(kind, || format!("{} {}", self.name(), calls.backend).into());
        span.set("berth.backend", calls.backend.to_string());
        let (block, engine) = calls.kind.split_once('.').unwrap_or((&calls.kind, ""));
        match block {
            "state" => span.set("db.system.name", engine.to_owned()),
            "pubsub" => span.set("messaging.system", engine.to_owned()),
            _ => {}
        }
        let operation = self.name().split('.').next_back().unwrap_or_default();
        match block {
            "state" => span.set("db.operation.name", operation),
            "pubsub" => span.set("messaging.operation.name", operation),
            _ => {}
        }
        span
    }
}

macro_rules! outcomes {
    ($($outcome:ident $name:literal),* $(,)?) => {
        /// How a call ended, as metrics name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Outcome {
            $($outcome),*
        }

        impl Outcome {
            pub(super) const COUNT: usize = [$($name),*].len();

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$outcome => $name),* }
            }

            /// Whether people who run the host should hear of it: the guest cannot have caused it.
            pub(super) fn is_fault(self) -> bool {
                matches!(self, Self::Unavailable | Self::Timeout | Self::Other)
            }
        }
    };
}

outcomes! {
    Ok "ok",
    NotFound "not_found",
    Conflict "conflict",
    Denied "denied",
    Invalid "invalid",
    Unsupported "unsupported",
    Unavailable "unavailable",
    Timeout "timeout",
    TooLarge "too_large",
    Other "other",
}
