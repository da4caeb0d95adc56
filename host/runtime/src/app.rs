//! An app in this host: what its calls share.

use crate::{
    Surroundings, admission::Gate, egress::Egress, failure::Failure, idle::IdleInstances,
    logs::LogBudget, served::Served,
};
use berth_blocks::{Blocks, Caller};
use berth_resources::App;
use berth_telemetry::trace::Tracer;
use metrics::{Counter, Histogram};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::Semaphore;

/// Everything that the instances of one app have in common.
pub(crate) struct AppContext {
    pub(crate) app: App,
    /// What its engine interprets, if it is a guest of that kind.
    pub(crate) script: Option<String>,
    pub(crate) blocks: Blocks,
    pub(crate) tracer: Tracer,
    pub(crate) gate: Gate,
    pub(crate) egress: Egress,
    pub(crate) surroundings: Surroundings,
    pub(crate) idle: Arc<IdleInstances>,
    pub(crate) log_budget: Arc<LogBudget>,
    pub(crate) calls: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) served: Served,
    calls_total: Counter,
    duration: Histogram,
}

impl AppContext {
    pub(crate) fn new(
        app: App,
        script: Option<String>,
        blocks: Blocks,
        pool: Arc<Semaphore>,
        idle: Arc<IdleInstances>,
        surroundings: Surroundings,
    ) -> Self {
        let labels = [
            ("namespace", app.namespace.to_string()),
            ("app", app.id.to_string()),
        ];
        let limits = &app.limits;
        Self {
            gate: Gate::new(limits.concurrency, limits.queue, pool),
            egress: Egress::new(&app.allow.outbound),
            tracer: blocks.tracing().tracer(&app.namespace, &app.id),
            idle,
            surroundings,
            log_budget: Arc::new(LogBudget::new(
                app.namespace.clone(),
                app.id.clone(),
                limits.log_rate.0,
            )),
            served: Served::new(&app),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            calls_total: metrics::counter!("berth_guest_calls_total", &labels),
            duration: metrics::histogram!("berth_guest_call_seconds", &labels),
            app,
            script,
            blocks,
        }
    }

    /// Counts a call that was admitted.
    pub(crate) fn begin(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.calls_total.increment(1);
    }

    /// Notes how long a call took until its response head or its outcome.
    pub(crate) fn took(&self, since: Instant) {
        self.duration.record(since.elapsed().as_secs_f64());
    }

    /// One log line and one metric for a call that a limit or a fault ended.
    pub(crate) fn record(&self, failure: &Failure, caller: &Caller) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        metrics::counter!(
            "berth_guest_failures_total",
            "namespace" => self.app.namespace.to_string(),
            "app" => self.app.id.to_string(),
            "reason" => failure.reason()
        )
        .increment(1);
        tracing::warn!(
            app = %self.app.id,
            namespace = %self.app.namespace,
            reason = failure.reason(),
            trace_id = caller.trace.context().trace_id(),
            detail = failure.detail(),
            "{}",
            failure.message(&self.app.limits)
        );
    }
}
