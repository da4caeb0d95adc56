//! What is asked, and how it ends, as spans and metrics name it.

use super::Calls;
use tracing::Span;

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

            /// The span of one call. Its level is below the default log level: who wants traces turns the target on.
            pub(super) fn span(self, calls: &Calls) -> Span {
                match self {
                    $(Self::$operation => tracing::debug_span!(
                        target: "berth::calls",
                        $name,
                        app = calls.app.as_str(),
                        namespace = calls.namespace.as_str(),
                        backend = &*calls.backend,
                        r#type = &*calls.kind,
                    )),*
                }
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
