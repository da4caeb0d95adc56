//! From a live exchange to a scenario: what a guest was asked, and what it answered.

use serde_json::{Map, Value, json};
use std::fmt::Write;

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Method of the request.
    pub method: String,
    /// Path with the query.
    pub path: String,
    /// Headers of the request.
    pub headers: Vec<(String, String)>,
    /// Body of the request.
    pub body: Vec<u8>,
    /// Status of the answer.
    pub status: u16,
    /// Body of the answer.
    pub answer: Vec<u8>,
}

/// Headers that say something about the connection, or about who made it, and nothing to a guest.
const NOISE: [&str; 12] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "host",
    "origin",
    "referer",
    "transfer-encoding",
    "user-agent",
];

/// A file with one scenario in which the same is asked, and the same has to be answered.
#[must_use]
pub fn recorded(name: &str, exchanges: &[Exchange]) -> String {
    let mut text = String::from(
        "# Recorded by `berth test --record`. Keep what matters: maps in `json` may leave out fields.\nscenarios:\n",
    );
    // JSON is YAML, and needs no quoting rules of ours. Writing to a text never fails.
    let _ = writeln!(text, "  - name: {}\n    when:", json!(name));
    for exchange in exchanges {
        let _ = writeln!(text, "      - request: {}", request(exchange));
        let _ = writeln!(text, "        then: {}", answer(exchange));
    }
    text
}

fn request(exchange: &Exchange) -> Value {
    let mut fields = Map::new();
    fields.insert("method".to_owned(), json!(exchange.method));
    fields.insert("path".to_owned(), json!(exchange.path));
    let is_json = serde_json::from_slice::<Value>(&exchange.body).is_ok();
    let headers = exchange.headers.iter().filter(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let implied = name == "content-type" && is_json && value.contains("json");
        let of_proxies = name.starts_with("sec-") || name.starts_with("x-forwarded");
        !NOISE.contains(&name.as_str()) && !implied && !of_proxies
    });
    let headers: Map<_, _> = headers
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    if !headers.is_empty() {
        fields.insert("headers".to_owned(), Value::Object(headers));
    }
    fields.extend(body(&exchange.body));
    Value::Object(fields)
}

fn answer(exchange: &Exchange) -> Value {
    let mut fields = Map::new();
    fields.insert("status".to_owned(), json!(exchange.status));
    fields.extend(body(&exchange.answer));
    Value::Object(fields)
}

/// As JSON, else as text; bytes that are neither cannot be written down.
fn body(bytes: &[u8]) -> Option<(String, Value)> {
    if bytes.is_empty() {
        return None;
    }
    if let Ok(json) = serde_json::from_slice(bytes) {
        return Some(("json".to_owned(), json));
    }
    let text = std::str::from_utf8(bytes).ok()?;
    Some(("body".to_owned(), json!(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_test_text;
    use std::path::Path;

    #[test]
    fn what_was_recorded_can_be_read() {
        let exchange = Exchange {
            method: "POST".to_owned(),
            path: "/orders?x=1".to_owned(),
            headers: vec![
                ("user-agent".to_owned(), "curl".to_owned()),
                ("content-type".to_owned(), "application/json".to_owned()),
                ("if-match".to_owned(), "\"3\"".to_owned()),
            ],
            body: br#"{"id": 1}"#.to_vec(),
            status: 201,
            answer: b"taken: $1".to_vec(),
        };
        let text = recorded("an order", &[exchange]);
        insta::assert_snapshot!(text, @r#"
        # Recorded by `berth test --record`. Keep what matters: maps in `json` may leave out fields.
        scenarios:
          - name: "an order"
            when:
              - request: {"method":"POST","path":"/orders?x=1","headers":{"if-match":"\"3\""},"json":{"id":1}}
                then: {"status":201,"body":"taken: $1"}
        "#);
        let file = read_test_text(Path::new("recorded.test.yaml"), &text).unwrap();
        assert_eq!(file.scenarios[0].when.len(), 1);
    }
}
