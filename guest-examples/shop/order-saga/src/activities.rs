//! What the steps do to the world. An activity runs at least once: each is harmless when it is repeated, since the others
//! know it by the order's ID, and the ledger by the idempotency key.

use crate::{
    ledger,
    wit::{
        berth::{
            invocation::invoker::{self, Request},
            pubsub::publisher::{self, Message, PublishOptions},
            workflow::types::Failure as Failed,
        },
        exports::berth::workflow::activities::Task,
    },
};
use serde_json::{Value, json};
use shop_kit::{Failure, Order, Status};

/// Their names.
pub const NAMES: [&str; 5] = ["reserve", "release", "pay", "refund", "fulfil"];

/// The customer whose card is always refused.
const BROKE: &str = "broke";

/// The customer who has moved, so that nothing can be sent.
const MOVED: &str = "moved";

/// Runs one attempt.
///
/// # Errors
/// Why it failed; what another attempt cannot cure says so.
pub fn run(task: &Task, name: &str, order: &Order) -> Result<(), Failed> {
    let done = match name {
        "reserve" => ask_inventory("reserve", order),
        "release" => ask_inventory("release", order),
        "pay" => pay(order),
        "refund" => Ok(()),
        "fulfil" => fulfil(order),
        _ => Err(Failure::not_found(format!("there is no activity {name}"))),
    };
    done.map_err(failed)?;
    ledger::note(&order.order_id, name, &task.idempotency_key).map_err(failed)
}

fn ask_inventory(method: &str, order: &Order) -> Result<(), Failure> {
    let body = json!({ "orderId": order.order_id, "items": order.items });
    let request = Request {
        method: method.to_owned(),
        verb: "POST".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        query: None,
        body: body.to_string().into_bytes(),
        timeout_ms: Some(3_000),
        metadata: Vec::new(),
    };
    let answer = invoker::invoke("inventory-service", &request)
        .map_err(|error| Failure::unavailable(format!("inventory-service: {error:?}")))?;
    match answer.status {
        200 => Ok(()),
        status => Err(Failure::passed_on(status, &answer.body)),
    }
}

/// A real shop would charge a card here, and give the idempotency key to whoever does it.
fn pay(order: &Order) -> Result<(), Failure> {
    match order.customer_id.as_str() {
        BROKE => Err(Failure::new(
            402,
            "payment-refused",
            format!("{} cents are more than there is", order.total_cents),
        )),
        _ => Ok(()),
    }
}

/// Tells everybody on the topic `orders`.
fn fulfil(order: &Order) -> Result<(), Failure> {
    if order.customer_id == MOVED {
        let message = "nobody knows where to send it";
        return Err(Failure::new(410, "no-address", message));
    }
    let confirmed = Order {
        status: Status::Confirmed,
        ..order.clone()
    };
    let message = Message {
        data: serde_json::to_vec(&confirmed).expect("an order is representable as JSON"),
        content_type: Some("application/json".to_owned()),
    };
    let options = PublishOptions {
        raw: false,
        ttl_seconds: None,
        partition_key: None,
        metadata: vec![(
            "cloudevent.id".to_owned(),
            format!("order-{}", order.order_id),
        )],
    };
    publisher::publish("pubsub", "orders", &message, &options)
        .map_err(|error| Failure::unavailable(format!("the order is not announced: {error:?}")))
}

/// What the world refuses it will refuse again; everything else may pass.
fn failed(failure: Failure) -> Failed {
    let told = serde_json::to_value(&failure).unwrap_or_default();
    let message = told.get("message").and_then(Value::as_str);
    Failed {
        kind: failure.code().to_owned(),
        message: message.unwrap_or_default().to_owned(),
        non_retryable: (400..500).contains(&failure.status()),
    }
}
