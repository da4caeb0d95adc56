//! Publishes to the topic `published` of `pubsub`, and takes whatever it is given.

use crate::bindings::berth::pubsub::publisher::{self, Message, PublishOptions};
use crate::bindings::exports::berth::pubsub::subscriber::{Delivery, Guest, Outcome};
use crate::{Bench, Loop};
use std::time::Instant;

const ORDER: &[u8] = br#"{"orderId":"17","customerId":"ada","totalCents":1250}"#;

pub fn publish(calls: &Loop) -> Result<u128, String> {
    let message = Message {
        data: ORDER.to_vec(),
        content_type: Some("application/json".to_owned()),
    };
    let options = PublishOptions {
        raw: false,
        ttl_seconds: None,
        partition_key: None,
        metadata: Vec::new(),
    };
    let began = Instant::now();
    for _ in 0..calls.times {
        publisher::publish("pubsub", "published", &message, &options)
            .map_err(|error| format!("{error:?}"))?;
    }
    Ok(began.elapsed().as_nanos())
}

impl Guest for Bench {
    fn handle(_: Delivery) -> Outcome {
        Outcome::Success
    }
}
