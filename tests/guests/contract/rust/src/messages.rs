//! The subscription, what arrives through it, and `/received/{id}`.

use crate::Guest;
use crate::bindings::berth::state::store::{self, GetOptions, SetOptions};
use crate::bindings::exports::berth::pubsub::subscriber::{self, Delivery, Outcome};
use crate::bindings::exports::berth::pubsub::subscriptions::{self, Rule, Subscription};
use crate::http::Response;
use serde_json::json;

impl subscriptions::Guest for Guest {
    fn declare() -> Vec<Subscription> {
        vec![Subscription {
            pubsub: "pubsub".to_owned(),
            topic: "contract".to_owned(),
            rules: vec![Rule {
                match_: r#"event.type == "special""#.to_owned(),
                path: "special".to_owned(),
            }],
            default_route: Some("default".to_owned()),
            dead_letter_topic: Some("contract-dlq".to_owned()),
            bulk: None,
            metadata: vec![],
        }]
    }
}

impl subscriber::Guest for Guest {
    fn handle(delivery: Delivery) -> Outcome {
        if remember(&delivery).is_err() {
            return Outcome::Retry;
        }
        match delivery.event.data.as_slice() {
            b"drop" => Outcome::Drop,
            b"retry" => Outcome::Retry,
            _ => Outcome::Success,
        }
    }
}

fn remember(delivery: &Delivery) -> Result<(), store::Error> {
    let event = &delivery.event;
    let received = json!({
        "id": event.id,
        "type": event.event_type,
        "source": event.source,
        "route": delivery.route,
        "attempt": delivery.attempt,
        "data": String::from_utf8_lossy(&event.data),
    });
    let options = SetOptions {
        etag: None,
        concurrency: None,
        consistency: None,
        ttl_seconds: None,
        content_type: Some("application/json".to_owned()),
        metadata: vec![],
    };
    store::open("statestore")?.set(&key(&event.id), received.to_string().as_bytes(), &options)
}

pub fn answer(id: &str) -> Response {
    let options = GetOptions {
        consistency: None,
        metadata: vec![],
    };
    match store::open("statestore").and_then(|store| store.get(&key(id), &options)) {
        Ok(Some(entry)) => Response::json(200, entry.value),
        Ok(None) => Response::not_found(),
        Err(error) => Response::json(
            500,
            json!({ "error": format!("{error:?}") })
                .to_string()
                .into_bytes(),
        ),
    }
}

fn key(event_id: &str) -> String {
    format!("received-{event_id}")
}
