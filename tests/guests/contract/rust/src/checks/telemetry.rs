//! `berth:telemetry`.

use super::{Check, Outcome, Run, expect};
use crate::bindings::berth::telemetry::tracing::{self, Span, Value};

pub const CHECKS: &[Check] = &[
    ("telemetry.recorded", recorded),
    ("telemetry.span", span),
    ("telemetry.request", request),
];

/// Trace ID and span ID of where the guest stands.
fn here() -> (String, String) {
    let text = tracing::traceparent();
    let mut parts = text.split('-').skip(1).map(str::to_owned);
    (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    )
}

fn recorded(_: &Run) -> Outcome {
    expect(tracing::is_recorded(), || "nothing is recorded".to_owned())?;
    let text = tracing::traceparent();
    let is_one = text.len() == 55 && text.starts_with("00-") && text.ends_with("-01");
    expect(is_one, || text)
}

fn span(_: &Run) -> Outcome {
    let before = here();
    let span = Span::start("contract-span");
    span.set_attribute("text", &Value::Text("t".to_owned()));
    span.set_attribute("integer", &Value::Integer(2));
    span.set_attribute("number", &Value::Number(0.5));
    span.set_attribute("boolean", &Value::Boolean(true));
    span.add_event("checked", &[("n".to_owned(), Value::Integer(1))]);
    let within = here();
    drop(span);
    let after = here();
    let holds = before.0 == within.0 && before.1 != within.1 && after == before;
    expect(holds, || format!("{before:?} {within:?} {after:?}"))
}

fn request(run: &Run) -> Outcome {
    tracing::set_attribute("contract", &Value::Text(run.id.clone()));
    tracing::add_event("contract-event", &[]);
    Ok(())
}
