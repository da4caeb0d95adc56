//! A span of the guest's own, with a block call within and one behind it.

use crate::bindings::berth::state::store::{self as state, GetOptions};
use crate::bindings::berth::telemetry::tracing::{self, Span, Value};

/// Packs a parcel that nobody ordered; gives the `traceparent` within the span and behind it.
pub fn pack() -> String {
    let span = Span::start("pack");
    span.set_attribute("parcels", &Value::Integer(2));
    span.add_event(
        "sealed",
        &[("by".to_owned(), Value::Text("robot".to_owned()))],
    );
    read();
    tracing::set_attribute("fragile", &Value::Boolean(true));
    let within = tracing::traceparent();
    drop(span);
    read();
    tracing::set_attribute("customer", &Value::Text("ada".to_owned()));
    tracing::add_event("packed", &[]);
    format!("{within} {}", tracing::traceparent())
}

fn read() {
    let options = GetOptions {
        consistency: None,
        metadata: Vec::new(),
    };
    if let Ok(store) = state::open("statestore") {
        let _ = store.get("parcel", &options);
    }
}
