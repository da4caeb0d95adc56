//! Spans on standard output, one JSON object per line.

use super::{Batch, Export, Failed, hex};
use crate::{
    text::timestamp,
    trace::{SpanRecord, Status, Value as Attribute},
};
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt;

pub(super) struct Stdout;

#[async_trait]
impl Export for Stdout {
    fn kind(&self) -> &'static str {
        "stdout"
    }

    fn address(&self) -> &str {
        "standard output"
    }

    async fn send(&self, batch: &Batch) -> Result<usize, Failed> {
        let lines: String = batch
            .iter()
            .map(|span| format!("{}\n", line(span)))
            .collect();
        // Of the runtime's blocking threads: a reader that does not read holds up no task.
        let mut stdout = tokio::io::stdout();
        let written = async {
            stdout.write_all(lines.as_bytes()).await?;
            stdout.flush().await
        };
        match written.await {
            Ok(()) => Ok(batch.len()),
            Err(error) => Err(Failed::never(error.to_string())),
        }
    }
}

fn line(span: &SpanRecord) -> Value {
    let mut line = json!({
        "time": timestamp(span.began.into()),
        "span": span.name,
        "kind": span.kind.name(),
        "app": span.service.name,
        "namespace": span.service.namespace,
        "trace_id": span.context.trace_id(),
        "span_id": span.context.span_id(),
        "duration_ms": span.took.as_micros() as f64 / 1000.0,
    });
    if let Some(parent) = span.parent {
        line["parent_id"] = hex(&parent).into();
    }
    if let Status::Error(why) = &span.status {
        line["error"] = why.clone().into();
    }
    if !span.attributes.is_empty() {
        let attributes = span.attributes.iter();
        let attributes: Map<_, _> = attributes
            .map(|(name, value)| (name.to_string(), json_of(value)))
            .collect();
        line["attributes"] = attributes.into();
    }
    line
}

fn json_of(value: &Attribute) -> Value {
    match value {
        Attribute::Text(text) => text.as_ref().into(),
        Attribute::Int(value) => (*value).into(),
        Attribute::Float(value) => (*value).into(),
        Attribute::Bool(value) => (*value).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::samples;

    #[test]
    fn a_span_is_one_line() {
        assert_eq!(
            line(&samples::failed_call()).to_string(),
            r#"{"time":"2023-11-14T22:13:20.123Z","span":"state.get statestore","kind":"client","app":"order-service","namespace":"shop","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","duration_ms":1.5,"parent_id":"0102030405060708","error":"timeout","attributes":{"db.system.name":"redis","berth.attempts":3}}"#
        );
    }
}
