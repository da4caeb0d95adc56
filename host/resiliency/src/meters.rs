//! What is counted. Labels name app and target as documents do; endpoints, which callers choose, are no labels.

use crate::{breaker::BreakerState, table::Target};
use berth_resources::{AppId, Namespace};
use metrics::{Counter, Gauge, counter, gauge};
use std::sync::OnceLock;

/// Who calls what.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    pub(crate) namespace: Namespace,
    pub(crate) app: AppId,
    pub(crate) target: Target,
}

macro_rules! counted {
    ($labels:expr, $name:literal) => {
        counter!(
            $name,
            "namespace" => $labels.namespace.to_string(),
            "app" => $labels.app.to_string(),
            "target" => $labels.target.name().to_owned(),
            "direction" => $labels.target.direction(),
        )
    };
}

/// Counters of one policy, made when they are first needed.
#[derive(Debug)]
pub(crate) struct Meters {
    labels: Labels,
    retries: OnceLock<Counter>,
    timeouts: OnceLock<Counter>,
    refused: OnceLock<Counter>,
}

impl Meters {
    pub(crate) fn new(labels: Labels) -> Self {
        Self {
            labels,
            retries: OnceLock::new(),
            timeouts: OnceLock::new(),
            refused: OnceLock::new(),
        }
    }

    pub(crate) fn retried(&self) {
        let new = || counted!(self.labels, "berth_resiliency_retries_total");
        self.retries.get_or_init(new).increment(1);
    }

    pub(crate) fn timed_out(&self) {
        let new = || counted!(self.labels, "berth_resiliency_timeouts_total");
        self.timeouts.get_or_init(new).increment(1);
    }

    pub(crate) fn refused(&self) {
        let new = || counted!(self.labels, "berth_circuit_breaker_refused_total");
        self.refused.get_or_init(new).increment(1);
    }

    pub(crate) fn warn_unrepeatable(&self) {
        tracing::warn!(
            app = self.labels.app.as_str(),
            namespace = self.labels.namespace.as_str(),
            target = self.labels.target.name(),
            "a call failed and was not tried again, although its policy has retries: its body streamed and cannot be \
             sent once more. Said once for this target",
        );
    }
}

/// Gauges of the breakers of one target: how many are in which state.
#[derive(Debug)]
pub(crate) struct BreakerMeters {
    labels: Labels,
    closed: Gauge,
    half_open: Gauge,
    open: Gauge,
}

impl BreakerMeters {
    pub(crate) fn new(labels: Labels) -> Self {
        let of = |state: BreakerState| {
            gauge!(
                "berth_circuit_breakers",
                "namespace" => labels.namespace.to_string(),
                "app" => labels.app.to_string(),
                "target" => labels.target.name().to_owned(),
                "direction" => labels.target.direction(),
                "state" => state.name(),
            )
        };
        Self {
            closed: of(BreakerState::Closed),
            half_open: of(BreakerState::HalfOpen),
            open: of(BreakerState::Open),
            labels,
        }
    }

    pub(crate) fn enter(&self, state: BreakerState) {
        self.gauge(state).increment(1.0);
    }

    pub(crate) fn leave(&self, state: BreakerState) {
        self.gauge(state).decrement(1.0);
    }

    /// Counts the change and tells people.
    pub(crate) fn change(&self, before: BreakerState, after: BreakerState) {
        self.leave(before);
        self.enter(after);
        let labels = &self.labels;
        match after {
            BreakerState::Open => tracing::warn!(
                app = labels.app.as_str(),
                namespace = labels.namespace.as_str(),
                target = labels.target.name(),
                direction = labels.target.direction(),
                "the circuit breaker opened: calls fail at once",
            ),
            BreakerState::HalfOpen | BreakerState::Closed => tracing::info!(
                app = labels.app.as_str(),
                namespace = labels.namespace.as_str(),
                target = labels.target.name(),
                direction = labels.target.direction(),
                "the circuit breaker is {after}",
            ),
        }
    }

    fn gauge(&self, state: BreakerState) -> &Gauge {
        match state {
            BreakerState::Closed => &self.closed,
            BreakerState::HalfOpen => &self.half_open,
            BreakerState::Open => &self.open,
        }
    }
}
