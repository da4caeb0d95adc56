//! The calls of one app to one backend: what spans, metrics and the log know of them.

use super::{Operation, Outcome};
use crate::backend::Block;
use berth_resources::{AppId, Namespace};
use metrics::{Counter, Histogram, counter, histogram};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The calls of one app to one backend: names for spans, handles of metrics, the throttle of the log.
pub(crate) struct Calls {
    pub(crate) block: Block,
    pub(crate) namespace: Namespace,
    pub(crate) app: AppId,
    pub(crate) backend: Arc<str>,
    pub(crate) kind: Arc<str>,
    meters: [OnceLock<Meter>; Operation::COUNT],
    pub(super) faults: FaultLog,
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

    pub(super) fn record(&self, operation: Operation, outcome: Outcome, took: Duration) {
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

/// Logs faults at most once a second: the guest gets each of them, the log gets the news and the number.
#[derive(Default)]
pub(super) struct FaultLog {
    /// Seconds since the start of the process, plus one.
    last: AtomicU64,
    suppressed: AtomicU64,
}

impl FaultLog {
    pub(super) fn log(&self, calls: &Calls, operation: Operation, error: &dyn std::fmt::Display) {
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
