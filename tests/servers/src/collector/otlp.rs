//! OTLP: `opentelemetry/proto/trace/v1/trace.proto` and its neighbours.

use super::{RecordedSpan, protobuf::message};
use std::collections::BTreeMap;

pub(super) const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

const KINDS: [&str; 6] = [
    "unspecified",
    "internal",
    "server",
    "client",
    "producer",
    "consumer",
];

/// `ExportTraceServiceRequest`
pub(super) fn read(body: &[u8]) -> Result<Vec<RecordedSpan>, String> {
    let mut spans = Vec::new();
    for resource_spans in message(body)? {
        let fields = message(resource_spans.bytes()?)?;
        let mut resource = BTreeMap::new();
        for field in fields.iter().filter(|field| field.number == 1) {
            for attribute in message(field.bytes()?)? {
                resource.extend([key_value(attribute.bytes()?)?]);
            }
        }
        let service = resource.get("service.name").ok_or("no service.name")?;
        for scope_spans in fields.iter().filter(|field| field.number == 2) {
            for field in message(scope_spans.bytes()?)? {
                if field.number == 2 {
                    spans.push(span(field.bytes()?, service)?);
                }
            }
        }
    }
    Ok(spans)
}

/// `Span`
fn span(bytes: &[u8], service: &str) -> Result<RecordedSpan, String> {
    let mut span = RecordedSpan {
        service: service.to_owned(),
        kind: String::new(),
        name: String::new(),
        trace_id: String::new(),
        span_id: String::new(),
        parent_id: None,
        failed: false,
        attributes: BTreeMap::new(),
        events: Vec::new(),
    };
    let (mut began, mut ended) = (0, 0);
    for field in message(bytes)? {
        match field.number {
            1 => span.trace_id = id(field.bytes()?, 16)?,
            2 => span.span_id = id(field.bytes()?, 8)?,
            4 => span.parent_id = Some(id(field.bytes()?, 8)?),
            5 => span.name = field.text()?,
            6 => {
                let kind = KINDS.get(usize::try_from(field.number_value()?).unwrap_or(99));
                span.kind = (*kind.ok_or("an unknown kind")?).to_owned();
            }
            7 => began = field.number_value()?,
            8 => ended = field.number_value()?,
            9 => span.attributes.extend([key_value(field.bytes()?)?]),
            11 => span.events.push(event(field.bytes()?)?),
            15 => span.failed = is_error(field.bytes()?)?,
            _ => {}
        }
    }
    if began == 0 || ended < began {
        return Err(format!("`{}` has no time", span.name));
    }
    Ok(span)
}

fn id(bytes: &[u8], length: usize) -> Result<String, String> {
    if bytes.len() != length {
        return Err(format!("an ID of {} bytes", bytes.len()));
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// `Span.Event`
fn event(bytes: &[u8]) -> Result<String, String> {
    let fields = message(bytes)?;
    let name = fields.iter().find(|field| field.number == 2);
    name.ok_or("an event without a name")?.text()
}

/// `Status`
fn is_error(bytes: &[u8]) -> Result<bool, String> {
    let fields = message(bytes)?;
    let code = fields.iter().find(|field| field.number == 3);
    Ok(code.map_or(Ok(0), |code| code.number_value())? == 2)
}

/// `KeyValue`, whose value is an `AnyValue`.
fn key_value(bytes: &[u8]) -> Result<(String, String), String> {
    let (mut key, mut value) = (String::new(), String::new());
    for field in message(bytes)? {
        match field.number {
            1 => key = field.text()?,
            2 => value = any_value(field.bytes()?)?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn any_value(bytes: &[u8]) -> Result<String, String> {
    let fields = message(bytes)?;
    let field = fields.first().ok_or("a value that is none")?;
    match field.number {
        1 => field.text(),
        2 => Ok((field.number_value()? != 0).to_string()),
        3 => Ok(field.number_value()?.cast_signed().to_string()),
        4 => Ok(f64::from_bits(field.number_value()?).to_string()),
        other => Err(format!("a value of kind {other}")),
    }
}
