//! What is to be seen of deliveries: a span and a duration for each attempt.

use super::{Delivery, DeliveryOutcome, PlannedSubscription};
use crate::{Blocks, CloudEvent, pubsub::InboundMessage};
use berth_resiliency::Late;
use berth_resources::{AppId, Namespace};
use berth_telemetry::trace::{Origin, Span, SpanKind, Trace, Tracer};
use metrics::{Counter, Histogram, counter, histogram};
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

/// The deliveries of one subscription.
pub(super) struct Watch {
    /// Of the app.
    tracer: Tracer,
    durations: Histogram,
    namespace: Namespace,
    app: AppId,
    pubsub: Arc<str>,
    topic: Arc<str>,
    /// Messages by their [`End`]. Looked up once: by labels that costs more than many a delivery.
    ended: [OnceLock<Counter>; End::COUNT],
}

/// What became of a message.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Success,
    Drop,
    Retry,
    HandedBack,
}

impl End {
    const COUNT: usize = Self::HandedBack as usize + 1;

    fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Drop => "drop",
            Self::Retry => "retry",
            Self::HandedBack => "handed_back",
        }
    }
}

/// An attempt under way.
pub(super) struct Watched {
    /// Where the app's work stands.
    pub(super) trace: Trace,
    span: Span,
    began: Instant,
}

impl Watch {
    pub(super) fn new(blocks: &Blocks, plan: &PlannedSubscription) -> Self {
        let target = &plan.target;
        Self {
            tracer: blocks.tracing().tracer(&target.namespace, &target.app),
            durations: durations(plan),
            namespace: target.namespace.clone(),
            app: target.app.clone(),
            ended: [const { OnceLock::new() }; End::COUNT],
            pubsub: plan.subscription.pubsub.as_str().into(),
            topic: plan.subscription.topic.as_str().into(),
        }
    }

    /// A message has come to its end here.
    pub(super) fn count(&self, end: End) {
        let count = self.ended[end as usize].get_or_init(|| {
            counter!(
                "berth_deliveries_total",
                "namespace" => self.namespace.to_string(),
                "app" => self.app.to_string(),
                "pubsub" => self.pubsub.to_string(),
                "topic" => self.topic.to_string(),
                "outcome" => end.name(),
            )
        });
        count.increment(1);
    }

    /// Where what is done about a message stands, outside of its deliveries.
    pub(super) fn join(&self, message: &InboundMessage, event: &CloudEvent) -> Trace {
        self.tracer.join(origin(message, event))
    }

    /// One attempt begins. It has a span of its own: further ones stand beside it, in the publisher's trace.
    pub(super) fn begin(&self, delivery: &Delivery) -> Watched {
        let trace = self.tracer.join(delivery.trace.origin());
        let span = self.span(&trace, delivery);
        Watched {
            trace: trace.inside(&span),
            span,
            began: Instant::now(),
        }
    }

    fn span(&self, trace: &Trace, delivery: &Delivery) -> Span {
        if !trace.is_recorded() {
            return Span::none();
        }
        let name = || format!("pubsub.deliver {}", self.topic).into();
        let span = trace.span(SpanKind::Consumer, name);
        span.set("berth.backend", self.pubsub.to_string());
        span.set("messaging.operation.name", "deliver");
        span.set("messaging.destination.name", self.topic.to_string());
        span.set("messaging.message.id", delivery.event.id.clone());
        span.set("berth.route", delivery.route.to_string());
        span.set("berth.delivery.attempt", delivery.attempt);
        span
    }

    /// One attempt has ended.
    pub(super) fn ended(&self, watched: Watched, delivered: &Result<DeliveryOutcome, Late>) {
        self.durations.record(watched.began.elapsed());
        let outcome = match delivered {
            Ok(DeliveryOutcome::Success) => return,
            Ok(outcome) => outcome.name(),
            Err(_) => "timeout",
        };
        watched.span.fail(outcome, || outcome.to_owned());
    }
}

/// `messaging.process.duration` of the conventions.
fn durations(plan: &PlannedSubscription) -> Histogram {
    histogram!(
        "messaging_process_duration_seconds",
        "namespace" => plan.target.namespace.to_string(),
        "app" => plan.target.app.to_string(),
        "pubsub" => plan.subscription.pubsub.clone(),
        "messaging_destination_name" => plan.subscription.topic.clone(),
    )
}

/// Who sent a message: its event says so, else what the broker tells of it.
pub(super) fn origin(message: &InboundMessage, event: &CloudEvent) -> Origin {
    let text = |name: &str| {
        let told = || {
            let mut told = message.metadata.iter();
            let own = told.find(|(own, _)| own.eq_ignore_ascii_case(name));
            own.map(|(_, value)| value.as_str())
        };
        event
            .extension(name)
            .filter(|text| !text.is_empty())
            .or_else(told)
            .unwrap_or_default()
    };
    Origin::of_texts(text("traceparent"), text("tracestate"), text("baggage"))
}
