//! Zipkin: spans as JSON, version 2 of its API.

use super::{
    Batch, Export, Failed,
    client::{Client, Version},
    hex, nanos,
};
use crate::trace::{SpanKind, SpanRecord, Status};
use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value, json};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Zipkin {
    client: Client,
    headers: HeaderMap,
}

impl Zipkin {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Ok(Self {
            client: Client::new(url, Version::Http1, TIMEOUT)?,
            headers,
        })
    }
}

#[async_trait]
impl Export for Zipkin {
    fn kind(&self) -> &'static str {
        "zipkin"
    }

    fn address(&self) -> &str {
        self.client.address()
    }

    async fn send(&self, batch: &Batch) -> Result<usize, Failed> {
        let spans: Vec<_> = batch.iter().map(|span| encode(span)).collect();
        let body = Value::Array(spans).to_string();
        let answer = self.client.post(&self.headers, body.into()).await?;
        answer.check().map(|()| batch.len())
    }
}

fn encode(span: &SpanRecord) -> Value {
    let mut json = json!({
        "traceId": span.context.trace_id(),
        "id": span.context.span_id(),
        "name": span.name,
        "timestamp": nanos(span.began) / 1000,
        // 0 would mean that it is not known.
        "duration": span.took.as_micros().max(1) as u64,
        "localEndpoint": { "serviceName": span.service.name },
        "tags": tags(span),
    });
    if let Some(parent) = span.parent {
        json["parentId"] = hex(&parent).into();
    }
    if span.kind != SpanKind::Internal {
        json["kind"] = span.kind.name().to_uppercase().into();
    }
    if !span.events.is_empty() {
        let events = span.events.iter().map(
            |event| json!({ "timestamp": nanos(event.at) / 1000, "value": annotation(event) }),
        );
        json["annotations"] = events.collect();
    }
    json
}

fn tags(span: &SpanRecord) -> Map<String, Value> {
    let own = span
        .attributes
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_text().into()));
    let mut tags: Map<_, Value> = own.collect();
    tags.insert(
        "service.namespace".to_owned(),
        span.service.namespace.clone().into(),
    );
    if let Status::Error(why) = &span.status {
        tags.insert("error".to_owned(), why.clone().into());
    }
    tags
}

/// An annotation is one text: what is more about an event follows its name as JSON.
fn annotation(event: &crate::trace::Event) -> String {
    if event.attributes.is_empty() {
        return event.name.clone();
    }
    let more = event.attributes.iter();
    let more: Map<_, Value> = more
        .map(|(name, value)| (name.to_string(), value.to_text().into()))
        .collect();
    format!("{}: {}", event.name, Value::Object(more))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::samples;

    #[test]
    fn a_span_has_the_form_of_the_api() {
        let expected = json!({
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
            "id": "00f067aa0ba902b7",
            "parentId": "0102030405060708",
            "kind": "CLIENT",
            "name": "state.get statestore",
            "timestamp": 1_700_000_000_123_456_u64,
            "duration": 1500,
            "localEndpoint": { "serviceName": "order-service" },
            "tags": {
                "db.system.name": "redis", "berth.attempts": "3", "service.namespace": "shop", "error": "timeout",
            },
            "annotations": [{ "timestamp": 1_700_000_000_123_466_u64, "value": "tried: {\"n\":\"true\"}" }],
        });
        assert_eq!(encode(&samples::failed_call()), expected);
        let request = encode(&samples::request());
        assert_eq!(request.get("parentId"), None);
        assert_eq!(request["kind"], "SERVER");
    }
}
