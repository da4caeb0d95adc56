//! Spans that are under way, and where a call stands among them.

use super::{
    Carried, Origin, Recorder, SpanContext, SpanKind, SpanRecord, Status, Value,
    limits::OPEN_MAX,
    record::{Attributes, limited_name},
};
use parking_lot::Mutex;
use std::{
    borrow::Cow,
    sync::Arc,
    time::{Instant, SystemTime},
};

/// Where a call stands in a trace: what it does nests below this. Cheap to clone.
#[derive(Clone)]
pub struct Trace {
    context: SpanContext,
    /// No span has this ID: what nests below begins the trace.
    is_beginning: bool,
    /// `None`: nobody records.
    recorder: Option<Arc<Recorder>>,
    /// The span itself, if it is one of this host's.
    live: Option<Arc<Live>>,
    carried: Option<Arc<Carried>>,
}

/// A span that is under way; it ends when this is dropped. Nothing, if nobody records.
#[must_use = "a span ends when it is dropped"]
pub struct Span(Option<Arc<Live>>);

/// A recorded span, shared by whoever ends it and whoever adds to it.
struct Live {
    context: SpanContext,
    recorder: Arc<Recorder>,
    began: Instant,
    state: Mutex<State>,
}

struct State {
    /// `None`: it has ended.
    record: Option<SpanRecord>,
    /// Spans that the app itself has opened within, the innermost last.
    open: Vec<Arc<Live>>,
}

impl Trace {
    /// A trace that begins here and that nobody records.
    #[must_use]
    pub fn generate() -> Self {
        Self::beginning(SpanContext::generate(), None, None)
    }

    /// Where whoever sent something stands, in another process or app. Nobody records it here.
    #[must_use]
    pub fn remote(origin: Origin) -> Self {
        match origin.context {
            Some(context) => Self::within(context, None, origin.carried),
            None => Self::beginning(SpanContext::generate(), None, origin.carried),
        }
    }

    pub(super) fn beginning(
        context: SpanContext,
        recorder: Option<Arc<Recorder>>,
        carried: Option<Arc<Carried>>,
    ) -> Self {
        Self {
            is_beginning: true,
            ..Self::within(context, recorder, carried)
        }
    }

    pub(super) fn within(
        context: SpanContext,
        recorder: Option<Arc<Recorder>>,
        carried: Option<Arc<Carried>>,
    ) -> Self {
        Self {
            context,
            is_beginning: false,
            recorder,
            live: None,
            carried,
        }
    }

    /// The identity of the span at which new ones nest.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        let open = self.live.as_ref().and_then(Live::innermost);
        open.map_or(self.context, |open| open.context)
    }

    /// What travels with the trace.
    #[must_use]
    pub fn carried(&self) -> Option<&Carried> {
        self.carried.as_deref()
    }

    /// How another app, which gets a request or a message of this one, sees it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            context: Some(self.context()),
            carried: self.carried.clone(),
        }
    }

    /// Whether spans are recorded, so that their names and attributes are worth making.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.recorder.is_some()
    }

    /// Begins a span below this one. `name` is asked for only if the span is recorded.
    pub fn span(&self, kind: SpanKind, name: impl FnOnce() -> Cow<'static, str>) -> Span {
        let Some(recorder) = &self.recorder else {
            return Span(None);
        };
        let above = self.context();
        let context = above.child();
        let parent = (!self.is_beginning).then(|| above.span_id_bytes());
        let record = SpanRecord {
            service: recorder.service().clone(),
            context,
            parent,
            kind,
            name: limited_name(name()),
            began: SystemTime::now(),
            took: std::time::Duration::ZERO,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            left_out: 0,
            status: Status::Unset,
            carried: self.carried.clone(),
        };
        Span(Some(Arc::new(Live {
            context,
            recorder: recorder.clone(),
            began: Instant::now(),
            state: Mutex::new(State {
                record: Some(record),
                open: Vec::new(),
            }),
        })))
    }

    /// Where what happens within a span of this trace stands.
    #[must_use]
    pub fn inside(&self, span: &Span) -> Self {
        match &span.0 {
            None => self.clone(),
            Some(live) => Self {
                context: live.context,
                is_beginning: false,
                live: Some(live.clone()),
                ..self.clone()
            },
        }
    }

    /// Where the app itself says that it stands, as a guest may that makes spans of its own.
    #[must_use]
    pub fn at(&self, own: SpanContext) -> Self {
        if own == self.context() {
            return self.clone();
        }
        Self {
            context: own,
            is_beginning: false,
            live: None,
            ..self.clone()
        }
    }

    /// Begins a span of the app's own making: until it ends, what the app does nests below it. `None` if nobody
    /// records, or too many are open.
    pub fn open(&self, name: String) -> Span {
        let Some(live) = &self.live else {
            return Span(None);
        };
        if live.state.lock().open.len() >= OPEN_MAX {
            live.change(|record| record.left_out += 1);
            return Span(None);
        }
        let span = self.span(SpanKind::Internal, || Cow::Owned(name));
        if let Some(inner) = &span.0 {
            live.state.lock().open.push(inner.clone());
        }
        span
    }

    /// Ends a span that [`open`](Self::open) began.
    pub fn close(&self, span: Span) {
        if let (Some(live), Some(inner)) = (&self.live, &span.0) {
            live.state
                .lock()
                .open
                .retain(|own| !Arc::ptr_eq(own, inner));
        }
    }

    /// Sets an attribute of the innermost span that is open here.
    pub fn set(&self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        if let Some(live) = self.innermost() {
            live.change(|record| record.set(name.into(), value.into()));
        }
    }

    /// Notes that something happened during the innermost span that is open here.
    pub fn add_event(&self, name: String, attributes: Attributes) {
        if let Some(live) = self.innermost() {
            live.change(|record| record.add_event(name, attributes));
        }
    }

    fn innermost(&self) -> Option<Arc<Live>> {
        let live = self.live.as_ref()?;
        Some(live.innermost().unwrap_or_else(|| live.clone()))
    }
}

impl Live {
    fn innermost(self: &Arc<Self>) -> Option<Arc<Self>> {
        self.state.lock().open.last().cloned()
    }

    /// Nothing happens to a span that has ended.
    fn change(&self, change: impl FnOnce(&mut SpanRecord)) {
        if let Some(record) = &mut self.state.lock().record {
            change(record);
        }
    }
}

impl Span {
    /// No span.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Its identity; `None` if nobody records it.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        self.0.as_ref().map(|live| live.context)
    }

    /// Whether it is recorded, so that attributes are worth making.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// Sets an attribute.
    pub fn set(&self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.change(|record| record.set(name.into(), value.into()));
    }

    /// Notes that something happened.
    pub fn add_event(&self, name: String, attributes: Attributes) {
        self.change(|record| record.add_event(name, attributes));
    }

    /// Names a span of another trace that led to this one.
    pub fn link(&self, to: SpanContext) {
        self.change(|record| record.link(to));
    }

    /// Says that what it stands for failed. `kind` is one of few words, `message` holds no value of the application.
    pub fn fail(&self, kind: &'static str, message: impl FnOnce() -> String) {
        self.change(|record| {
            record.set("error.type".into(), kind.into());
            record.status = Status::Error(message());
        });
    }

    fn change(&self, change: impl FnOnce(&mut SpanRecord)) {
        if let Some(live) = &self.0 {
            live.change(change);
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(live) = &self.0 else {
            return;
        };
        let mut state = live.state.lock();
        // What the app opened and did not end, ends with it.
        let open = std::mem::take(&mut state.open);
        let record = state.record.take();
        drop(state);
        for inner in open.into_iter().rev() {
            drop(Self(Some(inner)));
        }
        if let Some(mut record) = record {
            record.took = live.began.elapsed();
            live.recorder.record(record);
        }
    }
}

impl PartialEq for Trace {
    fn eq(&self, other: &Self) -> bool {
        self.context == other.context && self.carried == other.carried
    }
}

impl Eq for Trace {}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace({})", self.context)
    }
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Span").field(&self.context()).finish()
    }
}
