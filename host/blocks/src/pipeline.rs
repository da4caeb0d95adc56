//! The one place where policies meet a call: every call of every door to every backend runs through [`call`].
//!
//! ```text
//! span ( metric, log ( deadline ( who may ( backend ))))
//! ```
//!
//! Who may is evaluated once per app and backend (a `Grant`) and asked inside `work`, so that a refusal is
//! counted and traced like any other outcome.

use crate::{
    backend::Block, invocation::InvokeError, pubsub::PubSubError, secrets::SecretError,
    state::StateError,
};
use berth_resources::{AppId, Namespace};
use metrics::{Counter, Histogram, counter, histogram};
use std::{
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};
use tracing::{Instrument, Span};

macro_rules! operations {
    ($($operation:ident $name:literal),* $(,)?) => {
        /// What is asked of a backend.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Operation {
            $($operation),*
        }

        impl Operation {
            const COUNT: usize = [$($name),*].len();

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$operation => $name),* }
            }

            /// The span of one call. Its level is below the default log level: who wants traces turns the target on.
            fn span(self, calls: &Calls) -> Span {
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
}

macro_rules! outcomes {
    ($($outcome:ident $name:literal),* $(,)?) => {
        /// How a call ended, as metrics name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Outcome {
            $($outcome),*
        }

        impl Outcome {
            const COUNT: usize = [$($name),*].len();

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$outcome => $name),* }
            }

            /// Whether people who run the host should hear of it: the guest cannot have caused it.
            fn is_fault(self) -> bool {
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

/// An error of a block, as the pipeline sees it.
pub(crate) trait BlockError: std::fmt::Display {
    fn outcome(&self) -> Outcome;
    fn timeout(message: String) -> Self;
}

/// An error of a block with backends.
pub(crate) trait BackendError: BlockError {
    /// The app sees others, but not this one.
    fn not_found(message: String) -> Self;
    /// The app sees none.
    fn not_configured(message: String) -> Self;
    fn unavailable(message: String) -> Self;
}

macro_rules! block_error {
    ($error:ident: $($variant:ident => $outcome:ident),* $(,)?) => {
        impl BlockError for $error {
            fn outcome(&self) -> Outcome {
                match self { $(Self::$variant { .. } => Outcome::$outcome),* }
            }

            fn timeout(message: String) -> Self {
                Self::Timeout(message)
            }
        }
    };
}

macro_rules! backend_errors {
    ($($error:ident),*) => {$(
        impl BackendError for $error {
            fn not_found(message: String) -> Self {
                Self::NotFound(message)
            }

            fn not_configured(message: String) -> Self {
                Self::NotConfigured(message)
            }

            fn unavailable(message: String) -> Self {
                Self::Unavailable(message)
            }
        }
    )*};
}

backend_errors!(StateError, PubSubError, SecretError);
block_error!(StateError:
    NotConfigured => NotFound, NotFound => NotFound, Conflict => Conflict, Denied => Denied, Invalid => Invalid,
    InvalidEtag => Invalid, IllegalKey => Invalid, Unsupported => Unsupported, Unavailable => Unavailable,
    Timeout => Timeout, TooLarge => TooLarge, TooManyOperations => TooLarge, Other => Other);
block_error!(PubSubError:
    NotConfigured => NotFound, NotFound => NotFound, Denied => Denied, Invalid => Invalid,
    InvalidMetadata => Invalid, InvalidEvent => Invalid, InvalidEntry => Invalid, Unsupported => Unsupported,
    Unavailable => Unavailable, Timeout => Timeout, TooLarge => TooLarge, Other => Other);
block_error!(SecretError:
    NotConfigured => NotFound, NotFound => NotFound, Denied => Denied, Invalid => Invalid,
    Unavailable => Unavailable, Timeout => Timeout, Other => Other);
block_error!(InvokeError:
    NotFound => NotFound, Denied => Denied, Invalid => Invalid, Unavailable => Unavailable, Timeout => Timeout,
    TooLarge => TooLarge, Other => Other);

/// The calls of one app to one backend: names for spans, handles of metrics, the throttle of the log.
pub(crate) struct Calls {
    pub(crate) block: Block,
    pub(crate) namespace: Namespace,
    pub(crate) app: AppId,
    pub(crate) backend: Arc<str>,
    pub(crate) kind: Arc<str>,
    meters: [OnceLock<Meter>; Operation::COUNT],
    faults: FaultLog,
}

impl Calls {
    pub(crate) fn new(
        block: Block,
        namespace: &Namespace,
        app: &AppId,
        backend: &str,
        kind: &str,
    ) -> Self {
        Self {
            block,
            namespace: namespace.clone(),
            app: app.clone(),
            backend: backend.into(),
            kind: kind.into(),
            meters: [const { OnceLock::new() }; Operation::COUNT],
            faults: FaultLog::default(),
        }
    }

    /// Metric handles are looked up once: a lookup by labels costs more than a call to a store in memory.
    fn meter(&self, operation: Operation) -> &Meter {
        self.meters[operation as usize].get_or_init(|| Meter {
            duration: histogram!(
                "berth_block_call_duration_seconds",
                "namespace" => self.namespace.to_string(),
                "app" => self.app.to_string(),
                "backend" => self.backend.to_string(),
                "operation" => operation.name(),
            ),
            outcomes: [const { OnceLock::new() }; Outcome::COUNT],
        })
    }

    fn record(&self, operation: Operation, outcome: Outcome, took: Duration) {
        let meter = self.meter(operation);
        meter.duration.record(took);
        let count = meter.outcomes[outcome as usize].get_or_init(|| {
            counter!(
                "berth_block_calls_total",
                "namespace" => self.namespace.to_string(),
                "app" => self.app.to_string(),
                "backend" => self.backend.to_string(),
                "operation" => operation.name(),
                "outcome" => outcome.name(),
            )
        });
        count.increment(1);
    }
}

struct Meter {
    duration: Histogram,
    outcomes: [OnceLock<Counter>; Outcome::COUNT],
}

/// Runs one call to a backend under every policy.
pub(crate) async fn call<T, E: BlockError>(
    calls: &Calls,
    operation: Operation,
    deadline: Instant,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let span = operation.span(calls);
    let started = Instant::now();
    let answer = within(calls, operation, deadline, work)
        .instrument(span)
        .await;
    let outcome = answer
        .as_ref()
        .map_or_else(BlockError::outcome, |_| Outcome::Ok);
    calls.record(operation, outcome, started.elapsed());
    if let Err(error) = &answer
        && outcome.is_fault()
    {
        calls.faults.log(calls, operation, error);
    }
    answer
}

/// Waits for the backend until the deadline, which is the caller's own: what comes after it nobody waits for.
async fn within<T, E: BlockError>(
    calls: &Calls,
    operation: Operation,
    deadline: Instant,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut work = std::pin::pin!(work);
    // Backends in memory answer at once: then there is no timer to make.
    if let Poll::Ready(answer) = futures::poll!(work.as_mut()) {
        return answer;
    }
    let answer = tokio::time::timeout_at(deadline.into(), work).await;
    answer.unwrap_or_else(|_| {
        Err(E::timeout(format!(
            "{} \"{}\": {} had no answer before the deadline of the call",
            calls.block.noun(),
            calls.backend,
            operation.name()
        )))
    })
}

/// Logs faults at most once a second: the guest gets each of them, the log gets the news and the number.
#[derive(Default)]
struct FaultLog {
    /// Seconds since the start of the process, plus one.
    last: AtomicU64,
    suppressed: AtomicU64,
}

impl FaultLog {
    fn log(&self, calls: &Calls, operation: Operation, error: &dyn std::fmt::Display) {
        static START: OnceLock<Instant> = OnceLock::new();
        let now = START.get_or_init(Instant::now).elapsed().as_secs() + 1;
        if self.last.swap(now, Ordering::Relaxed) == now {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let suppressed = self.suppressed.swap(0, Ordering::Relaxed);
        tracing::warn!(
            app = calls.app.as_str(),
            namespace = calls.namespace.as_str(),
            backend = &*calls.backend,
            operation = operation.name(),
            suppressed,
            "{} failed: {error}",
            operation.name(),
        );
    }
}
