//! The ingestion API of Application Insights.

use super::RecordedSpan;
use bytes::Bytes;
use serde_json::{Value, json};

pub(super) fn read(body: &[u8]) -> Result<Vec<RecordedSpan>, String> {
    envelopes(body)?.iter().map(span).collect()
}

/// What the service answers when it took everything.
pub(super) fn taken(body: &[u8]) -> Bytes {
    let count = envelopes(body).map_or(0, |all| all.len());
    let report = json!({ "itemsReceived": count, "itemsAccepted": count, "errors": [] });
    report.to_string().into()
}

fn envelopes(body: &[u8]) -> Result<Vec<Value>, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn span(envelope: &Value) -> Result<RecordedSpan, String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (tags, data) = (&envelope["tags"], &envelope["data"]["baseData"]);
    let base = envelope["data"]["baseType"].as_str().unwrap_or_default();
    let kind = match (envelope["name"].as_str(), base) {
        (Some("Microsoft.ApplicationInsights.Request"), "RequestData") => "server",
        (Some("Microsoft.ApplicationInsights.RemoteDependency"), "RemoteDependencyData") => {
            "client"
        }
        _ => return Err(format!("no known envelope: {envelope}")),
    };
    let required = |value: &Value| text(value).ok_or_else(|| format!("incomplete: {envelope}"));
    required(&envelope["time"])?;
    required(&data["duration"])?;
    let properties = data["properties"].as_object().into_iter().flatten();
    let mut attributes: std::collections::BTreeMap<_, _> = properties
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or("?").to_owned()))
        .collect();
    attributes.insert("iKey".to_owned(), required(&envelope["iKey"])?);
    Ok(RecordedSpan {
        service: required(&tags["ai.cloud.role"])?,
        kind: kind.to_owned(),
        name: required(&data["name"])?,
        trace_id: required(&tags["ai.operation.id"])?,
        span_id: required(&data["id"])?,
        parent_id: text(&tags["ai.operation.parentId"]),
        failed: data["success"] == false,
        attributes,
        events: Vec::new(),
    })
}
