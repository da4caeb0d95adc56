//! notification-service: tells customers that their order was taken, once, however often the message comes.
//!
//! `subscriptions.yaml` subscribes it to the topic `orders`; each message arrives at `/order-confirmed`.
//! `GET /notifications/{orderId}` shows what was sent.

mod notification;

use berth_sdk::{
    http::{Json, Request, Router},
    pubsub::{Delivery, Outcome, Subscriptions},
    state::Store,
};
use notification::{Announced, Notification};
use shop_kit::{Failure, STORE, path_id};

berth_sdk::guest! {
    http: routes,
    subscriptions: subscriptions,
}

fn routes() -> Router {
    Router::new().get("/notifications/{orderId}", show)
}

fn subscriptions() -> Subscriptions {
    Subscriptions::new().route("/order-confirmed", handle)
}

fn handle(delivery: &Delivery) -> Result<Outcome, Failure> {
    let Ok(order) = delivery.json::<Announced>() else {
        eprintln!("event {} holds no order and never will", delivery.event.id);
        return Ok(Outcome::Drop);
    };
    Ok(match notify(&order)?.sent {
        1 => Outcome::Success,
        _ => Outcome::Retry,
    })
}

/// Counts the delivery and sends the notification if that has not happened yet.
fn notify(order: &Announced) -> Result<Notification, Failure> {
    let mut first = true;
    let count = |known: Option<Notification>| {
        let known = known.unwrap_or_else(|| Notification::none(&order.order_id));
        first = known.sent == 0;
        known.delivered(order)
    };
    let notification = Store::open(STORE)?.update(&key(&order.order_id), count)?;
    // The record decides; a real shop would hand the mail to its provider with the order ID as the key that makes a
    // repeated mail one mail.
    if first && notification.sent == 1 {
        println!("told {} about order {}", order.customer_id, order.order_id);
    }
    Ok(notification)
}

fn show(request: Request) -> Result<Json<Notification>, Failure> {
    let order_id = path_id(&request, "orderId")?;
    let known = Store::open(STORE)?.get(&key(&order_id))?;
    Ok(Json(known.unwrap_or_else(|| Notification::none(&order_id))))
}

fn key(order_id: &str) -> String {
    format!("notification-{order_id}")
}
