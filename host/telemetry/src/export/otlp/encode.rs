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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        export::{hex, otlp::protobuf::fields, samples},
        trace::Carried,
    };

    /// The same span as OpenTelemetry's own library for Python writes it.
    const GOLDEN: &str = "0a104bf92f3577b34da6a3ce929d0e0e4736120800f067aa0ba902b71a0876656e646f723d31220801020304050607082a\
         1473746174652e67657420737461746573746f726530033900ca853dfe9c97174160ad9c3dfe9c97174a190a0e64622e73797374656d2e6e\
         616d6512070a0572656469734a140a0e62657274682e617474656d707473120218035a190910f1853dfe9c9717120574726965641a070a01\
         6e120210016a1c0a104bf92f3577b34da6a3ce929d0e0e4736120800f067aa0ba902b97a0b120774696d656f757418028501010000\
         00";

    #[test]
    fn a_span_is_written_as_others_write_it() {
        let mut record = SpanRecord::clone(&samples::failed_call());
        let linked = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b9-01";
        record.links = vec![linked.parse().unwrap()];
        record.carried = Some(Arc::new(Carried {
            state: "vendor=1".to_owned(),
            baggage: String::new(),
        }));
        assert_eq!(hex(&span(&record).into_bytes()), GOLDEN);
    }

    #[test]
    fn spans_stand_below_their_app() {
        let mut other = SpanRecord::clone(&samples::request());
        other.service = Arc::new(Service {
            namespace: "shop".to_owned(),
            name: "inventory".to_owned(),
        });
        let batch = [samples::failed_call(), Arc::new(other), samples::request()];
        let request = request(&batch).into_bytes();
        assert_eq!(fields(&request).count(), 2);
    }
}
