//! Spans and attributes beside those that the host records by itself. Where it records none, they do nothing.
//!
//! ```no_run
//! use berth_sdk::telemetry::{self, Span};
//!
//! let span = Span::start("price the order");
//! span.set("items", 3i64);
//! telemetry::event("priced", [("currency", "EUR".into())]);
//! drop(span); // ends it
//! ```

use crate::bindings::imports::berth::telemetry::tracing;
pub use tracing::{is_recorded, traceparent};

/// The value of an attribute.
#[derive(Debug, Clone)]
pub struct Value(tracing::Value);

/// A part of what the guest does now; it ends when it is dropped. What the guest asks of the host meanwhile nests below it.
pub struct Span(tracing::Span);

impl Span {
    /// Begins a span below the innermost one that is open.
    #[must_use]
    pub fn start(name: &str) -> Self {
        Self(tracing::Span::start(name))
    }

    /// Sets an attribute; one of the same name is replaced.
    pub fn set(&self, name: &str, value: impl Into<Value>) {
        self.0.set_attribute(name, &value.into().0);
    }

    /// Notes that something happened now.
    pub fn event<const N: usize>(&self, name: &str, attributes: [(&str, Value); N]) {
        self.0.add_event(name, &named(attributes));
    }

    /// Says that it failed. The text goes to the exporters: it should hold no personal data.
    pub fn fail(&self, message: &str) {
        self.0.fail(message);
    }
}

/// Sets an attribute of the innermost span that is open.
pub fn set(name: &str, value: impl Into<Value>) {
    tracing::set_attribute(name, &value.into().0);
}

/// Notes in the innermost span that something happened now.
pub fn event<const N: usize>(name: &str, attributes: [(&str, Value); N]) {
    tracing::add_event(name, &named(attributes));
}

fn named<const N: usize>(attributes: [(&str, Value); N]) -> Vec<(String, tracing::Value)> {
    let owned = attributes
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.0));
    owned.collect()
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(tracing::Value::Text(text.to_owned()))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self(tracing::Value::Integer(number))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self(tracing::Value::Number(number))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self(tracing::Value::Boolean(truth))
    }
}
