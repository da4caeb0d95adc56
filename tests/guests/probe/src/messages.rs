//! Messages in Dapr's form. The payload says what becomes of its message.

use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// Takes one CloudEvent or a batch; gives the answer.
pub fn take(body: &[u8]) -> (u16, String) {
    let Ok(message) = serde_json::from_slice::<Value>(body) else {
        return (400, "not JSON".to_owned());
    };
    match message["entries"].as_array() {
        Some(entries) => batch(entries),
        None => {
            let status = handle(&message["id"], &message["data"]);
            (
                200,
                json!({ "status": status.unwrap_or_default() }).to_string(),
            )
        }
    }
}

fn batch(entries: &[Value]) -> (u16, String) {
    println!("batch of {}", entries.len());
    let mut statuses = Vec::new();
    for entry in entries {
        // A payload without an envelope comes as text in base64.
        let (event, id) = (&entry["event"], &entry["entryId"]);
        let status = match event.is_object() {
            true => handle(&event["id"], &event["data"]),
            false => handle(event, &entry["contentType"]),
        };
        if let Some(status) = status {
            statuses.push(json!({ "entryId": id, "status": status }));
        }
    }
    (200, json!({ "statuses": statuses }).to_string())
}

fn handle(id: &Value, data: &Value) -> Option<&'static str> {
    let data = data.as_str().unwrap_or_default();
    match data {
        "crash" => std::process::abort(),
        "retry" => return Some("RETRY"),
        "drop" => return Some("DROP"),
        "silent" => return None,
        _ => {}
    }
    if let Some(ms) = data.strip_prefix("slow:").and_then(|ms| ms.parse().ok()) {
        println!("begun {}", id.as_str().unwrap_or_default());
        thread::sleep(Duration::from_millis(ms));
    }
    println!("handled {}", id.as_str().unwrap_or_default());
    Some("SUCCESS")
}
