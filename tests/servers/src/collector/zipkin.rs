//! Zipkin's API, version 2.

use super::RecordedSpan;
use serde_json::Value;

pub(super) fn read(body: &[u8]) -> Result<Vec<RecordedSpan>, String> {
    let spans: Vec<Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    spans.iter().map(span).collect()
}

fn span(json: &Value) -> Result<RecordedSpan, String> {
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    let required = |name: &str| text(name).ok_or_else(|| format!("`{name}` is missing: {json}"));
    for number in ["timestamp", "duration"] {
        if json[number].as_u64().is_none_or(|number| number == 0) {
            return Err(format!("`{number}` is no time: {json}"));
        }
    }
    let service = json["localEndpoint"]["serviceName"].as_str();
    let tags = json["tags"].as_object().into_iter().flatten();
    let attributes =
        tags.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("?").to_owned()));
    let events = json["annotations"].as_array().into_iter().flatten();
    let (trace_id, span_id) = (required("traceId")?, required("id")?);
    if trace_id.len() != 32 || span_id.len() != 16 {
        return Err(format!("IDs of the wrong length: {json}"));
    }
    Ok(RecordedSpan {
        service: service.unwrap_or_default().to_owned(),
        kind: text("kind")
            .unwrap_or_else(|| "internal".to_owned())
            .to_lowercase(),
        name: required("name")?,
        trace_id,
        span_id,
        parent_id: text("parentId"),
        failed: json["tags"].get("error").is_some(),
        attributes: attributes.collect(),
        events: events
            .map(|event| event["value"].as_str().unwrap_or_default().to_owned())
            .collect(),
    })
}
