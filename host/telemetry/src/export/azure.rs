//! Azure Monitor: the ingestion API of Application Insights, version 2.1.
//!
//! A span that an app serves or consumes is a request, every other one a dependency. What the service does not take of
//! a batch it names, and whether it may come again: the whole batch is sent again only if it took nothing.

use super::{
    Batch, Export, Failed,
    client::{Answer, Client, Version},
    hex,
};
use crate::trace::{SpanKind, SpanRecord, Status, Value as Attribute};
use async_trait::async_trait;
use berth_resources::{AzureMonitor, Secret};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Azure {
    client: Client,
    key: Secret,
    headers: HeaderMap,
}

impl Azure {
    pub(super) fn new(settings: &AzureMonitor) -> Result<Self, String> {
        let url = format!("{}/v2.1/track", settings.endpoint);
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Ok(Self {
            client: Client::new(&url, Version::Http1, TIMEOUT)?,
            key: settings.instrumentation_key.clone(),
            headers,
        })
    }
}

#[async_trait]
impl Export for Azure {
    fn kind(&self) -> &'static str {
        "azureMonitor"
    }

    fn address(&self) -> &str {
        self.client.address()
    }

    async fn send(&self, batch: &Batch) -> Result<usize, Failed> {
        let key = self.key.reveal();
        let envelopes: Vec<_> = batch.iter().map(|span| envelope(span, key)).collect();
        let body = Value::Array(envelopes).to_string();
        let answer = self.client.post(&self.headers, body.into()).await?;
        taken(&answer, batch.len())
    }
}

/// What the service says of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    items_accepted: usize,
    #[serde(default)]
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    status_code: u16,
    #[serde(default)]
    message: String,
}

fn taken(answer: &Answer, sent: usize) -> Result<usize, Failed> {
    // Over a quota: the service counts that by itself.
    if answer.status.as_u16() == 439 {
        return Err(Failed::later("the daily quota is used up"));
    }
    if answer.status != StatusCode::PARTIAL_CONTENT {
        return answer.check().map(|()| sent);
    }
    let Ok(report) = serde_json::from_slice::<Report>(&answer.body) else {
        return Ok(sent);
    };
    if report.items_accepted > 0 {
        return Ok(report.items_accepted);
    }
    let first = report.errors.first();
    let why = first.map_or("nothing was taken", |problem| &problem.message);
    let is_passing = first.is_some_and(|problem| {
        matches!(problem.status_code, 408 | 429 | 439 | 500 | 502 | 503 | 504)
    });
    Err(if is_passing {
        Failed::later(why)
    } else {
        Failed::never(why)
    })
}

fn envelope(span: &SpanRecord, key: &str) -> Value {
    let is_request = matches!(span.kind, SpanKind::Server | SpanKind::Consumer);
    let (name, kind, data) = if is_request {
        ("Request", "RequestData", request(span))
    } else {
        ("RemoteDependency", "RemoteDependencyData", dependency(span))
    };
    let mut tags = json!({
        "ai.operation.id": span.context.trace_id(),
        // Apps of other namespaces may have the same ID.
        "ai.cloud.role": format!("{}.{}", span.service.namespace, span.service.name),
        "ai.internal.sdkVersion": concat!("berth:", env!("CARGO_PKG_VERSION")),
    });
    if let Some(parent) = span.parent {
        tags["ai.operation.parentId"] = hex(&parent).into();
    }
    if is_request {
        tags["ai.operation.name"] = span.name.clone().into();
    }
    json!({
        "ver": 1,
        "name": format!("Microsoft.ApplicationInsights.{name}"),
        "time": time(span),
        "iKey": key,
        "tags": tags,
        "data": { "baseType": kind, "baseData": data },
    })
}

fn request(span: &SpanRecord) -> Value {
    json!({
        "ver": 2,
        "id": span.context.span_id(),
        "name": span.name,
        "duration": duration(span.took),
        "success": span.status == Status::Unset,
        "responseCode": code(span),
        "properties": properties(span),
    })
}

fn dependency(span: &SpanRecord) -> Value {
    let kind = match span.kind {
        SpanKind::Internal => "InProc".to_owned(),
        SpanKind::Producer => "Queue Message".to_owned(),
        _ => text(span, "db.system.name").unwrap_or_else(|| "HTTP".to_owned()),
    };
    let target = text(span, "server.address").or_else(|| text(span, "berth.backend"));
    json!({
        "ver": 2,
        "id": span.context.span_id(),
        "name": span.name,
        "duration": duration(span.took),
        "success": span.status == Status::Unset,
        "resultCode": code(span),
        "type": kind,
        "target": target.unwrap_or_default(),
        "properties": properties(span),
    })
}

/// The status of an answer, or how the call ended.
fn code(span: &SpanRecord) -> String {
    let status = text(span, "http.response.status_code").or_else(|| text(span, "error.type"));
    status.unwrap_or_else(|| "0".to_owned())
}

fn text(span: &SpanRecord, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| Attribute::to_text(value))
}

fn properties(span: &SpanRecord) -> Map<String, Value> {
    let own = span.attributes.iter();
    own.map(|(name, value)| (name.to_string(), value.to_text().into()))
        .collect()
}

fn time(span: &SpanRecord) -> String {
    let format = &time::format_description::well_known::Rfc3339;
    let began: time::OffsetDateTime = span.began.into();
    began.format(format).unwrap_or_default()
}

/// `days.hours:minutes:seconds.micros`
fn duration(took: Duration) -> String {
    let seconds = took.as_secs();
    format!(
        "{}.{:02}:{:02}:{:02}.{:06}",
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        took.subsec_micros()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{Again, samples};

    #[test]
    fn a_call_is_a_dependency_and_what_an_app_serves_a_request() {
        let expected = json!({
            "ver": 1,
            "name": "Microsoft.ApplicationInsights.RemoteDependency",
            "time": "2023-11-14T22:13:20.123456Z",
            "iKey": "key",
            "tags": {
                "ai.operation.id": "4bf92f3577b34da6a3ce929d0e0e4736",
                "ai.operation.parentId": "0102030405060708",
                "ai.cloud.role": "shop.order-service",
                "ai.internal.sdkVersion": concat!("berth:", env!("CARGO_PKG_VERSION")),
            },
            "data": { "baseType": "RemoteDependencyData", "baseData": {
                "ver": 2, "id": "00f067aa0ba902b7", "name": "state.get statestore",
                "duration": "0.00:00:00.001500", "success": false, "resultCode": "0", "type": "redis", "target": "",
                "properties": { "db.system.name": "redis", "berth.attempts": "3" },
            }},
        });
        assert_eq!(envelope(&samples::failed_call(), "key"), expected);
        let request = envelope(&samples::request(), "key");
        assert_eq!(request["data"]["baseType"], "RequestData");
        assert_eq!(request["data"]["baseData"]["responseCode"], "201");
        assert_eq!(request["tags"].get("ai.operation.parentId"), None);
    }

    #[test]
    fn what_was_not_taken_comes_again_only_if_it_may() {
        let answer = |status: u16, body: &str| Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
            trailers: HeaderMap::new(),
        };
        let partly = r#"{"itemsReceived":3,"itemsAccepted":2,"errors":[{"index":0,"statusCode":400,"message":"no"}]}"#;
        assert_eq!(taken(&answer(200, ""), 3), Ok(3));
        assert_eq!(taken(&answer(206, partly), 3), Ok(2));
        let busy = r#"{"itemsReceived":1,"itemsAccepted":0,"errors":[{"index":0,"statusCode":503,"message":"busy"}]}"#;
        assert_eq!(
            taken(&answer(206, busy), 1).unwrap_err().again,
            Again::Later
        );
        assert_eq!(taken(&answer(439, ""), 1).unwrap_err().again, Again::Later);
        assert_eq!(taken(&answer(400, ""), 1).unwrap_err().again, Again::Never);
    }

    #[test]
    fn durations_are_spelt_out() {
        let long = Duration::new(2 * 86_400 + 3 * 3600 + 4 * 60 + 5, 678_000);
        assert_eq!(duration(long), "2.03:04:05.000678");
    }
}
