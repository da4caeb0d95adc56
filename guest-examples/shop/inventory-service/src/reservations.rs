//! `/reserve` and `/release`.
//!
//! Both write the stock of every SKU and the order's reservation in one transaction, which fails as a whole if any of
//! them has changed since it was read. So stock and reservations always agree, whoever else writes and whenever the
//! host dies.

use crate::{
    reservation::{self, Item, Reservation, Status},
    stock::{self, Stock},
};
use shop_kit::{
    Document, Documents, Failure, Field, Reply, Request, attempts, if_absent, if_unchanged,
    state::Operation, won,
};

/// Sets the items of an order aside, all of them or none.
pub fn reserve(request: &Request) -> Result<Reply, Failure> {
    let asked = Reservation::read(&request.json()?)?;
    let key = reservation::key(&asked.order_id);
    let documents = Documents::open("statestore")?;
    for _ in attempts() {
        // The stock is read before the reservation: in the other order, the same request running at the same time
        // could take the last items in between, and its own order would look out of stock.
        let stocks = find_stocks(&documents, &asked.items)?;
        if let Some(held) = documents.find::<Reservation>(&key)? {
            held.value.covers(&asked)?;
            return Ok(Reply::json(200, &held.value));
        }
        let mut changes = change_stocks(stocks, Stock::take)?;
        changes.push(Documents::change(&key, &asked, if_absent()));
        if won(documents.save_together(&changes))? {
            return Ok(Reply::json(200, &asked));
        }
    }
    Err(busy())
}

/// Puts the items of an order back, if they were set aside.
pub fn release(request: &Request) -> Result<Reply, Failure> {
    let order_id = Field::body(&request.json()?).get("orderId").id()?;
    let key = reservation::key(&order_id);
    let documents = Documents::open("statestore")?;
    for _ in attempts() {
        let (held, options) = match documents.find::<Reservation>(&key)? {
            Some(held) => (held.value, if_unchanged(held.etag)),
            None => (Reservation::nothing(&order_id), if_absent()),
        };
        if held.status == Status::Released {
            return Ok(Reply::json(200, &held));
        }
        let stocks = find_stocks(&documents, &held.items)?;
        let released = held.released();
        let mut changes = change_stocks(stocks, |stock, qty| Ok(stock.put_back(qty)))?;
        changes.push(Documents::change(&key, &released, options));
        if won(documents.save_together(&changes))? {
            return Ok(Reply::json(200, &released));
        }
    }
    Err(busy())
}

/// The stock of one SKU as it is stored, and how many an order has of it.
struct Affected {
    sku: String,
    qty: u64,
    stored: Option<Document<Stock>>,
}

fn find_stocks(documents: &Documents, items: &[Item]) -> Result<Vec<Affected>, Failure> {
    let totals = stock::totals(items);
    let keys: Vec<String> = totals.keys().map(|sku| stock::key(sku)).collect();
    let stored = documents.find_all(&keys)?;
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
) -> Result<Vec<Operation>, Failure> {
    let write = |Affected { sku, qty, stored }| {
        let key = stock::key(&sku);
        let (stock, options) = match stored {
            Some(stored) => (stored.value, if_unchanged(stored.etag)),
            None => (Stock { sku, qty: 0 }, if_absent()),
        };
        Ok(Documents::change(&key, &change(stock, qty)?, options))
    };
    affected.into_iter().map(write).collect()
}

fn busy() -> Failure {
    Failure::unavailable("too many orders want the same items at the same moment")
}
