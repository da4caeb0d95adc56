//! The topic on which orders are announced.

use crate::wit::berth::pubsub::publisher::{self, Error, Message, PublishOptions};
use shop_kit::{Failure, Order};

/// Publishes the order to `orders`. Repeating it is harmless: the event's ID is the order's, and whoever receives it
/// must expect it more than once anyway.
pub fn announce(order: &Order) -> Result<(), Failure> {
    let message = Message {
        data: serde_json::to_vec(order).expect("an order is representable as JSON"),
        content_type: Some("application/json".to_owned()),
    };
    let options = PublishOptions {
        raw: false,
        ttl_seconds: None,
        partition_key: None,
        metadata: vec![
            (
                "cloudevent.id".to_owned(),
                format!("order-{}", order.order_id),
            ),
            ("cloudevent.type".to_owned(), "order.confirmed".to_owned()),
        ],
    };
    publisher::publish("pubsub", "orders", &message, &options).map_err(unpublished)
}

fn unpublished(error: Error) -> Failure {
    let (Error::NotFound(text)
    | Error::Denied(text)
    | Error::Invalid(text)
    | Error::Unavailable(text)
    | Error::Timeout(text)
    | Error::TooLarge(text)
    | Error::Other(text)) = error;
    Failure::unavailable(format!(
        "the order is stored but could not be announced: {text}"
    ))
}
