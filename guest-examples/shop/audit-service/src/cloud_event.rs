//! What is kept of a CloudEvent.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub const KEY_PREFIX: &str = "event-";

/// As much of a CloudEvent as this service reads.
#[derive(Debug, Deserialize)]
pub struct CloudEvent {
    id: String,
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    time: Option<String>,
    #[serde(default)]
    data: Value,
}

/// A line of the audit.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    id: String,
    /// Absent if the message was no order.
    order_id: Option<String>,
    topic: Option<String>,
    pub time: Option<String>,
}

impl Entry {
    /// The same event has the same key, so it is kept once.
    pub fn key(&self) -> String {
        format!("{KEY_PREFIX}{}", self.id)
    }
}

impl From<CloudEvent> for Entry {
    fn from(event: CloudEvent) -> Self {
        let order_id = event
            .data
            .get("orderId")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Self {
            id: event.id,
            order_id,
            topic: event.topic,
            time: event.time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(event: Value) -> Entry {
        serde_json::from_value::<CloudEvent>(event)
            .expect("a CloudEvent")
            .into()
    }

    #[test]
    fn an_order_is_found_in_its_event() {
        let entry = entry(json!({
            "specversion": "1.0", "id": "order-17", "source": "order-service", "type": "order.confirmed",
            "topic": "orders", "time": "2026-01-02T03:04:05Z", "data": { "orderId": "17" },
        }));
        assert_eq!(entry.key(), "event-order-17");
        assert_eq!(
            serde_json::to_string(&entry).expect("an entry is JSON"),
            r#"{"id":"order-17","orderId":"17","topic":"orders","time":"2026-01-02T03:04:05Z"}"#
        );
    }

    #[test]
    fn an_event_without_an_order_is_kept_too() {
        let entry = entry(json!({ "id": "1", "data": "not an order" }));
        assert_eq!(entry.order_id, None);
    }
}
