//! `/orders`.

use crate::{inventory, payment, topic};
use berth_sdk::{
    Kind,
    http::{Json, Request, StatusCode},
    random,
    state::{Store, Write},
};
use shop_kit::{Failure, Order, STORE, Status, body, path_id};

/// Takes an order.
///
/// Each step can be repeated and the answer comes last. Whoever hears nothing, because the host died between any two
/// steps, sends the order again, and it goes on where it stopped: stock is reserved once per order ID, the order is
/// stored once, and it is announced until it is known to be.
pub fn place(request: Request) -> Result<(StatusCode, Json<Order>), Failure> {
    let asked = Order::read(&body(&request)?, random::uuid)?;
    payment::check()?;

    let store = Store::open(STORE)?;
    let mut order = match store.get(&key(&asked.order_id))? {
        Some(known) => known,
        None => reserve_and_save(&store, asked)?,
    };
    if order.status == Status::Placed {
        order.status = Status::Confirmed;
        topic::announce(&order)?;
        store.set(&key(&order.order_id), &order)?;
    }
    Ok((StatusCode::CREATED, Json(order)))
}

/// Shows an order.
pub fn show(request: Request) -> Result<Json<Order>, Failure> {
    let id = path_id(&request, "orderId")?;
    let order = Store::open(STORE)?.get(&key(&id))?;
    order
        .map(Json)
        .ok_or_else(|| Failure::not_found(format!("there is no order {id}")))
}

fn reserve_and_save(store: &Store, order: Order) -> Result<Order, Failure> {
    inventory::reserve(&order)?;
    let key = key(&order.order_id);
    match store.write(&key, &order, Write::new().if_absent()) {
        Ok(()) => Ok(order),
        // The same order came twice at once; the other one was stored first.
        Err(error) if error.kind() == Kind::Conflict => store
            .get(&key)?
            .ok_or_else(|| Failure::unavailable("the order is being changed")),
        Err(error) => Err(error.into()),
    }
}

fn key(order_id: &str) -> String {
    format!("order-{order_id}")
}
