//! Traces: which span a call belongs to, and what becomes of the spans.
//!
//! ```text
//! request or message ──▶ Tracer::enter (the app's; who samples?) ──▶ Trace (where a call stands) + Span (ends when dropped)
//!                                              Trace::span ──▶ Span of a block call, an invocation, ...
//! Span dropped ──▶ SpanRecord ──▶ a bounded queue per exporter ──▶ batches ──▶ collector
//! ```
//!
//! A trace that nobody records costs a load and a branch per span: a [`Trace`] is then an identity of 25 bytes and two
//! empty pointers, a [`Span`] nothing. What is recorded costs one allocation per span and those of its attributes.
//! Spans do not go through the `tracing` crate: its registry would charge every request for spans that nobody reads.

mod carried;
mod context;
mod headers;
mod limits;
mod record;
mod sampler;
mod span;
#[cfg(test)]
mod tests;
mod tracer;

pub use carried::{Carried, Origin};
pub use context::{InvalidSpanContext, SpanContext};
pub use headers::{BAGGAGE, TRACEPARENT, TRACESTATE};
pub use record::{Attributes, Event, Service, SpanKind, SpanRecord, Status, Value};
pub use sampler::Sampler;
pub use span::{Span, Trace};
pub use tracer::{Past, Recorder, Sink, Tracer};
