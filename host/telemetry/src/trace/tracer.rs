//! Who records the spans of an app.

use super::{Origin, Sampler, Service, Span, SpanContext, SpanKind, SpanRecord, Trace};
use arc_swap::ArcSwapOption;
use std::{borrow::Cow, sync::Arc};

/// Takes spans that have ended. Must neither wait nor block: it is called on the way of a request.
pub trait Sink: Send + Sync {
    /// Takes one span.
    fn take(&self, span: &Arc<SpanRecord>);
}

/// Records the spans of one app as its configuration says.
pub struct Recorder {
    service: Arc<Service>,
    sampler: Sampler,
    sinks: Arc<[Arc<dyn Sink>]>,
}

impl Recorder {
    /// A recorder of an app's spans.
    #[must_use]
    pub fn new(service: Service, sampler: Sampler, sinks: Arc<[Arc<dyn Sink>]>) -> Self {
        Self {
            service: Arc::new(service),
            sampler,
            sinks,
        }
    }

    pub(super) fn service(&self) -> &Arc<Service> {
        &self.service
    }

    pub(super) fn record(&self, span: SpanRecord) {
        let span = Arc::new(span);
        for sink in self.sinks.iter() {
            sink.take(&span);
        }
    }
}

/// Begins the spans of one app. Cheap to clone; all clones see the same recorder, which can be replaced.
#[derive(Clone, Default)]
pub struct Tracer(Arc<ArcSwapOption<Recorder>>);

impl Tracer {
    /// Nobody records.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// Replaces who records; it counts from the next request or message.
    pub fn record_with(&self, recorder: Option<Arc<Recorder>>) {
        self.0.store(recorder);
    }

    #[cfg(test)]
    pub(super) fn recorder(&self) -> Option<Arc<Recorder>> {
        self.0.load_full()
    }

    /// The app receives a request or a message: the span of its work, and where that work stands.
    pub fn enter(
        &self,
        origin: Origin,
        kind: SpanKind,
        name: impl Into<Cow<'static, str>>,
    ) -> (Trace, Span) {
        let trace = self.join(origin);
        if !trace.is_recorded() {
            return (trace, Span::none());
        }
        let span = trace.span(kind, || name.into());
        (trace.inside(&span), span)
    }

    /// The app does something on its own account, or for a native program whose spans are its own.
    #[must_use]
    pub fn join(&self, origin: Origin) -> Trace {
        let recorder = self.0.load();
        let Origin { context, carried } = origin;
        let Some(context) = context else {
            let new = SpanContext::generate();
            let Some(recorder) = &*recorder else {
                return Trace::beginning(new, None, carried);
            };
            let sampled = recorder.sampler.takes(&new);
            let recorder = sampled.then(|| recorder.clone());
            return Trace::beginning(new.with_sampled(sampled), recorder, carried);
        };
        let recorder = match &*recorder {
            Some(recorder) if context.is_sampled() => Some(recorder.clone()),
            _ => None,
        };
        Trace::within(context, recorder, carried)
    }
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let records = self.0.load().is_some();
        f.debug_struct("Tracer").field("records", &records).finish()
    }
}
