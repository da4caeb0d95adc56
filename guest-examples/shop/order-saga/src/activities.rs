//! What the steps do to the world. An activity runs at least once: each is harmless when it is repeated, since the others
//! know it by the order's ID, and the ledger by the idempotency key.

use crate::ledger;
use berth_sdk::{
    invoke::Call,
    pubsub::Publish,
    workflow::{Activity, Failure as Failed, Task},
};
use serde_json::{Value, json};
use shop_kit::{Failure, Order, Status};
use std::time::Duration;

/// Sets the items aside.
pub const RESERVE: Activity<Order, ()> = Activity::named("reserve");
/// Puts them back.
pub const RELEASE: Activity<Order, ()> = Activity::named("release");
/// Takes the money.
pub const PAY: Activity<Order, ()> = Activity::named("pay");
/// Gives it back.
pub const REFUND: Activity<Order, ()> = Activity::named("refund");
/// Sends the goods.
pub const FULFIL: Activity<Order, ()> = Activity::named("fulfil");

/// The customer whose card is always refused.
const BROKE: &str = "broke";

/// The customer who has moved, so that nothing can be sent.
const MOVED: &str = "moved";

/// Leaves the activity time to end within the limit of its app.
const TIMEOUT: Duration = Duration::from_secs(3);

pub fn reserve(task: &Task, order: Order) -> Result<(), Failed> {
    noted(task, &order, "reserve", ask_inventory("reserve", &order))
}

pub fn release(task: &Task, order: Order) -> Result<(), Failed> {
    noted(task, &order, "release", ask_inventory("release", &order))
}

/// A real shop would charge a card here, and give the idempotency key to whoever does it.
pub fn pay(task: &Task, order: Order) -> Result<(), Failed> {
    let paid = match order.customer_id.as_str() {
        BROKE => Err(Failure::new(
            402,
            "payment-refused",
            format!("{} cents are more than there is", order.total_cents),
        )),
        _ => Ok(()),
    };
    noted(task, &order, "pay", paid)
}

pub fn refund(task: &Task, order: Order) -> Result<(), Failed> {
    noted(task, &order, "refund", Ok(()))
}

/// Tells everybody on the topic `orders`.
pub fn fulfil(task: &Task, order: Order) -> Result<(), Failed> {
    noted(task, &order, "fulfil", announce(&order))
}

/// Notes an effect in the ledger once it has happened. What the world refuses it will refuse again; everything else may
/// pass.
fn noted(
    task: &Task,
    order: &Order,
    effect: &str,
    done: Result<(), Failure>,
) -> Result<(), Failed> {
    let noted = done.and_then(|()| ledger::note(&order.order_id, effect, &task.idempotency_key));
    noted.map_err(|failure| {
        let told = serde_json::to_value(&failure).unwrap_or_default();
        let message = told.get("message").and_then(Value::as_str);
        let failed = Failed::new(failure.code(), message.unwrap_or_default());
        match failure.status() {
            400..500 => failed.last(),
            _ => failed,
        }
    })
}

fn ask_inventory(method: &str, order: &Order) -> Result<(), Failure> {
    let call = Call::post("inventory-service", method)
        .json(&json!({ "orderId": order.order_id, "items": order.items }))?
        .timeout(TIMEOUT);
    let unreachable = |error| Failure::unavailable(format!("inventory-service: {error}"));
    let answer = call.send().map_err(unreachable)?;
    match answer.status().as_u16() {
        200 => Ok(()),
        status => Err(Failure::passed_on(status, answer.body())),
    }
}

fn announce(order: &Order) -> Result<(), Failure> {
    if order.customer_id == MOVED {
        let message = "nobody knows where to send it";
        return Err(Failure::new(410, "no-address", message));
    }
    let confirmed = Order {
        status: Status::Confirmed,
        ..order.clone()
    };
    let published = Publish::to("pubsub", "orders")
        .id(format!("order-{}", order.order_id))
        .json(&confirmed);
    published.map_err(|error| Failure::unavailable(format!("the order is not announced: {error}")))
}
