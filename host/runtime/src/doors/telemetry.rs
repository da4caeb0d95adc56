//! `berth:telemetry/tracing`: spans, attributes and events of the guest's own.

use crate::{bindings::berth::telemetry::tracing as wit, instance::GuestState};
use berth_telemetry::trace::{self, Attributes, Trace};
use wasmtime::component::Resource;

/// A span that the guest has begun, and the trace that counts it as open.
pub struct Handle {
    span: trace::Span,
    trace: Trace,
}

impl wit::Host for GuestState {
    async fn set_attribute(&mut self, name: String, value: wit::Value) -> wasmtime::Result<()> {
        self.caller.trace.set(name, value);
        Ok(())
    }

    async fn add_event(
        &mut self,
        name: String,
        attributes: Vec<(String, wit::Value)>,
    ) -> wasmtime::Result<()> {
        self.caller.trace.add_event(name, all(attributes));
        Ok(())
    }

    async fn traceparent(&mut self) -> wasmtime::Result<String> {
        Ok(self.caller.trace.context().to_string())
    }

    async fn is_recorded(&mut self) -> wasmtime::Result<bool> {
        Ok(self.caller.trace.is_recorded())
    }
}

impl wit::HostSpan for GuestState {
    async fn start(&mut self, name: String) -> wasmtime::Result<Resource<Handle>> {
        let trace = self.caller.trace.clone();
        let handle = Handle {
            span: trace.open(name),
            trace,
        };
        Ok(self.table.push(handle)?)
    }

    async fn set_attribute(
        &mut self,
        span: Resource<Handle>,
        name: String,
        value: wit::Value,
    ) -> wasmtime::Result<()> {
        self.table.get(&span)?.span.set(name, value);
        Ok(())
    }

    async fn add_event(
        &mut self,
        span: Resource<Handle>,
        name: String,
        attributes: Vec<(String, wit::Value)>,
    ) -> wasmtime::Result<()> {
        self.table.get(&span)?.span.add_event(name, all(attributes));
        Ok(())
    }

    async fn fail(&mut self, span: Resource<Handle>, message: String) -> wasmtime::Result<()> {
        self.table.get(&span)?.span.fail("guest", || message);
        Ok(())
    }

    async fn drop(&mut self, span: Resource<Handle>) -> wasmtime::Result<()> {
        let Handle { span, trace } = self.table.delete(span)?;
        trace.close(span);
        Ok(())
    }
}

fn all(attributes: Vec<(String, wit::Value)>) -> Attributes {
    let attributes = attributes.into_iter();
    attributes
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

impl From<wit::Value> for trace::Value {
    fn from(value: wit::Value) -> Self {
        match value {
            wit::Value::Text(text) => text.into(),
            wit::Value::Integer(value) => value.into(),
            wit::Value::Number(value) => Self::Float(value),
            wit::Value::Boolean(value) => value.into(),
        }
    }
}
