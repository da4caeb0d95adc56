//! `/orders`.

use crate::{inventory, payment, topic, wit::wasi::random::random::get_random_bytes};
use shop_kit::{Documents, Failure, Order, Reply, Request, Status, if_absent, last_write, won};

/// Takes an order.
///
/// Each step can be repeated and the answer comes last. Whoever hears nothing, because the host died between any two
/// steps, sends the order again, and it goes on where it stopped: stock is reserved once per order ID, the order is
/// stored once, and it is announced until it is known to be.
pub fn place(request: &Request) -> Result<Reply, Failure> {
    let asked = Order::read(&request.json()?, new_id)?;
    payment::check()?;

    let documents = Documents::open("statestore")?;
    let mut order = match documents.find(&key(&asked.order_id))? {
        Some(known) => known.value,
        None => reserve_and_save(&documents, asked)?,
    };
    if order.status == Status::Placed {
        order.status = Status::Confirmed;
        topic::announce(&order)?;
        documents.save(&key(&order.order_id), &order, last_write())?;
    }
    Ok(Reply::json(201, &order))
}

/// Shows an order.
pub fn show(id: &str) -> Result<Reply, Failure> {
    let order = Documents::open("statestore")?.find::<Order>(&key(id))?;
    let order = order.ok_or_else(|| Failure::not_found(format!("there is no order {id}")))?;
    Ok(Reply::json(200, &order.value))
}

fn reserve_and_save(documents: &Documents, order: Order) -> Result<Order, Failure> {
    inventory::reserve(&order)?;
    let key = key(&order.order_id);
    if won(documents.save(&key, &order, if_absent()))? {
        return Ok(order);
    }
    // The same order came twice at once; the other one was stored first.
    let stored = documents.find(&key)?;
    stored
        .map(|stored| stored.value)
        .ok_or_else(|| Failure::unavailable("the order is being changed"))
}

fn key(order_id: &str) -> String {
    format!("order-{order_id}")
}

fn new_id() -> String {
    get_random_bytes(16)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
