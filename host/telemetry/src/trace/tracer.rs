//! Who records the spans of an app.

use super::{
    Attributes, Origin, Sampler, Service, Span, SpanContext, SpanKind, SpanRecord, Status, Trace,
    record::limited_name,
};
use arc_swap::ArcSwapOption;
use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime},
};

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

/// What took a time that no process need have lived through, such as the run of a workflow.
#[derive(Debug, Clone)]
pub struct Past {
    /// What it was.
    pub name: String,
    /// When it began.
    pub began: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// More about it.
    pub attributes: Attributes,
    /// The kind of its failure, one of few words; absent: it went well.
    pub failure: Option<&'static str>,
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

    /// Records what began long ago, perhaps in another process, and has ended now: `own` is the identity below which
    /// other spans nest already, `parent` the span above it. Nothing, unless the trace is recorded.
    pub fn record_past(&self, parent: SpanContext, own: SpanContext, past: Past) {
        let recorder = self.0.load();
        let Some(recorder) = recorder.as_ref().filter(|_| own.is_sampled()) else {
            return;
        };
        let mut record = SpanRecord {
            service: recorder.service().clone(),
            context: own,
            parent: Some(parent.span_id_bytes()),
            kind: SpanKind::Internal,
            name: limited_name(past.name.into()),
            began: past.began,
            took: past.took,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            left_out: 0,
            status: past
                .failure
                .map_or(Status::Unset, |kind| Status::Error(kind.to_owned())),
            carried: None,
        };
        for (name, value) in past.attributes {
            record.set(name, value);
        }
        recorder.record(record);
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
