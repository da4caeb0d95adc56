//! The topic on which orders are announced.

use berth_sdk::pubsub::Publish;
use shop_kit::{Failure, Order};

/// Publishes the order to `orders`. Repeating it is harmless: the event's ID is the order's, and whoever receives it
/// must expect it more than once anyway.
pub fn announce(order: &Order) -> Result<(), Failure> {
    let published = Publish::to("pubsub", "orders")
        .id(format!("order-{}", order.order_id))
        .event_type("order.confirmed")
        .json(order);
    published.map_err(|error| {
        let reason = error.message();
        Failure::unavailable(format!(
            "the order is stored but could not be announced: {reason}"
        ))
    })
}
