//! `/reserve` and `/release`.
//!
//! Both write the stock of every SKU and the order's reservation in one transaction, which fails as a whole if any of
//! them has changed since it was read. So stock and reservations always agree, whoever else writes and whenever the
//! host dies.

use crate::{
    reservation::{self, Item, Reservation, Status},
    stock::{self, Stock},
};
use berth_sdk::{
    Kind,
    http::{Json, Request},
    state::{Entry, Step, Store, Write, attempts},
};
use shop_kit::{Failure, Field, STORE, body};

/// Sets the items of an order aside, all of them or none.
pub fn reserve(request: Request) -> Result<Json<Reservation>, Failure> {
    let asked = Reservation::read(&body(&request)?)?;
    let key = reservation::key(&asked.order_id);
    let store = Store::open(STORE)?;
    for _ in attempts() {
        // The stock is read before the reservation: in the other order, the same request running at the same time
        // could take the last items in between, and its own order would look out of stock.
        let stocks = find_stocks(&store, &asked.items)?;
        if let Some(held) = store.get::<Reservation>(&key)? {
            held.covers(&asked)?;
            return Ok(Json(held));
        }
        let mut steps = change_stocks(stocks, Stock::take)?;
        steps.push(Step::set(&key, &asked, Write::new().if_absent())?);
        if together(&store, steps)? {
            return Ok(Json(asked));
        }
    }
    Err(busy())
}

/// Puts the items of an order back, if they were set aside.
pub fn release(request: Request) -> Result<Json<Reservation>, Failure> {
    let order_id = Field::body(&body(&request)?).get("orderId").id()?;
    let key = reservation::key(&order_id);
    let store = Store::open(STORE)?;
    for _ in attempts() {
        let (held, how) = match store.entry::<Reservation>(&key)? {
            Some(held) => (held.value, Write::new().if_etag(held.etag)),
            None => (Reservation::nothing(&order_id), Write::new().if_absent()),
        };
        if held.status == Status::Released {
            return Ok(Json(held));
        }
        let stocks = find_stocks(&store, &held.items)?;
        let released = held.released();
        let mut steps = change_stocks(stocks, |stock, qty| Ok(stock.put_back(qty)))?;
        steps.push(Step::set(&key, &released, how)?);
        if together(&store, steps)? {
            return Ok(Json(released));
        }
    }
    Err(busy())
}

/// Whether all of it happened: a conflict is an answer here, not a failure.
fn together(store: &Store, steps: Vec<Step>) -> Result<bool, Failure> {
    match store.transact(steps) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == Kind::Conflict => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The stock of one SKU as it is stored, and how many an order has of it.
struct Affected {
    sku: String,
    qty: u64,
    stored: Option<Entry<Stock>>,
}

fn find_stocks(store: &Store, items: &[Item]) -> Result<Vec<Affected>, Failure> {
    let totals = stock::totals(items);
    let keys: Vec<String> = totals.keys().map(|sku| stock::key(sku)).collect();
    let stored = store.get_many(&keys)?;
    let affected = totals.into_iter().zip(stored);
    Ok(affected
        .map(|((sku, qty), stored)| Affected {
            sku: sku.to_owned(),
            qty,
            stored,
        })
        .collect())
}

/// The writes that `change` leads to, each on the condition that the stock is still as it was read. A SKU that is not
/// stored has a stock of zero.
fn change_stocks(
    affected: Vec<Affected>,
    change: impl Fn(Stock, u64) -> Result<Stock, Failure>,
) -> Result<Vec<Step>, Failure> {
    let write = |Affected { sku, qty, stored }| {
        let key = stock::key(&sku);
        let (stock, how) = match stored {
            Some(stored) => (stored.value, Write::new().if_etag(stored.etag)),
            None => (Stock { sku, qty: 0 }, Write::new().if_absent()),
        };
        Ok(Step::set(&key, &change(stock, qty)?, how)?)
    };
    affected.into_iter().map(write).collect()
}

fn busy() -> Failure {
    Failure::unavailable("too many orders want the same items at the same moment")
}
