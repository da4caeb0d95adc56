//! Spans in OTLP's form: `ExportTraceServiceRequest` of `opentelemetry/proto/collector/trace/v1`, whose numbers of
//! fields stand here as they are in the definitions.

use super::protobuf::Message;
use crate::{
    export::{Batch, nanos},
    trace::{self, Attributes, Service, SpanKind, SpanRecord, Status, Value},
};
use std::sync::Arc;

/// The spans of a batch, by the app that they are of.
pub(super) fn request(batch: &Batch) -> Message {
    let mut apps: Vec<(&Arc<Service>, Message)> = Vec::new();
    for record in batch {
        let known = apps
            .iter()
            .position(|(service, _)| *service == &record.service);
        let at = known.unwrap_or_else(|| {
            apps.push((&record.service, scope()));
            apps.len() - 1
        });
        if let Some((_, scope_spans)) = apps.get_mut(at) {
            scope_spans.message(2, &span(record));
        }
    }
    let mut request = Message::new();
    for (service, scope_spans) in apps {
        let mut resource_spans = Message::new();
        resource_spans
            .message(1, &resource(service))
            .message(2, &scope_spans);
        request.message(1, &resource_spans);
    }
    request
}

/// `Resource`
fn resource(service: &Service) -> Message {
    let mut resource = Message::new();
    for (key, text) in [
        ("service.name", &service.name),
        ("service.namespace", &service.namespace),
    ] {
        resource.message(1, &key_value(key, &text.clone().into()));
    }
    resource
}

/// `ScopeSpans` without spans yet.
fn scope() -> Message {
    let mut scope = Message::new();
    scope.bytes(1, "berth").bytes(2, env!("CARGO_PKG_VERSION"));
    let mut scope_spans = Message::new();
    scope_spans.message(1, &scope);
    scope_spans
}

/// `Span`
fn span(record: &SpanRecord) -> Message {
    let carried = record.carried.as_deref();
    let mut span = Message::new();
    span.bytes(1, record.context.trace_id_bytes())
        .bytes(2, record.context.span_id_bytes())
        .bytes(3, carried.map_or("", |own| &own.state))
        .bytes(4, record.parent.as_ref().map_or(&[][..], |id| id))
        .bytes(5, record.name.as_bytes())
        .varint(6, kind(record.kind))
        .fixed64(7, nanos(record.began))
        .fixed64(8, nanos(record.ended()));
    attributes(&mut span, 9, &record.attributes);
    span.varint(10, record.left_out.into());
    for event in &record.events {
        span.message(11, &self::event(event));
    }
    for to in &record.links {
        let mut link = Message::new();
        link.bytes(1, to.trace_id_bytes())
            .bytes(2, to.span_id_bytes());
        span.message(13, &link);
    }
    if let Status::Error(why) = &record.status {
        let mut status = Message::new();
        status.bytes(2, why).varint(3, 2);
        span.message(15, &status);
    }
    span.fixed32(16, record.context.is_sampled().into());
    span
}

fn kind(kind: SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

/// `Span.Event`
fn event(event: &trace::Event) -> Message {
    let mut message = Message::new();
    message.fixed64(1, nanos(event.at)).bytes(2, &event.name);
    attributes(&mut message, 3, &event.attributes);
    message
}

fn attributes(message: &mut Message, field: u8, all: &Attributes) {
    for (key, value) in all {
        message.message(field, &key_value(key, value));
    }
}

/// `KeyValue`, whose value is an `AnyValue`.
fn key_value(key: &str, value: &Value) -> Message {
    let mut any = Message::new();
    match value {
        Value::Text(text) => any.member(1, text.as_bytes()),
        Value::Bool(value) => any.varint_member(2, (*value).into()),
        Value::Int(value) => any.varint_member(3, value.cast_unsigned()),
        Value::Float(value) => any.fixed64(4, value.to_bits()),
    };
    let mut pair = Message::new();
    pair.bytes(1, key).message(2, &any);
    pair
}
