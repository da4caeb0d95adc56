//! inventory-service: knows what is left, and sets it aside for orders.
//!
//! | request | what happens |
//! |---|---|
//! | `PUT`, `GET /inventory/{sku}` | how many are left |
//! | `POST /reserve` | sets the items of an order aside, all of them or none, once per order ID |
//! | `POST /release` | puts them back, once |
//!
//! The ingress exposes `/inventory` only; `/reserve` and `/release` are for other apps.

mod reservation;
mod reservations;
mod stock;

use berth_sdk::{
    http::{Json, Request, Router},
    state::Store,
};
use shop_kit::{Failure, Field, STORE, body, path_id};
use stock::{QTY_MAX, Stock};

berth_sdk::guest! { http: routes }

fn routes() -> Router {
    Router::new()
        .put("/inventory/{sku}", put)
        .get("/inventory/{sku}", show)
        .post("/reserve", reservations::reserve)
        .post("/release", reservations::release)
}

fn put(request: Request) -> Result<Json<Stock>, Failure> {
    let sku = path_id(&request, "sku")?;
    let qty = Field::body(&body(&request)?)
        .get("qty")
        .whole(0..=QTY_MAX)?;
    let stock = Stock { sku, qty };
    Store::open(STORE)?.set(&stock::key(&stock.sku), &stock)?;
    Ok(Json(stock))
}

fn show(request: Request) -> Result<Json<Stock>, Failure> {
    let sku = path_id(&request, "sku")?;
    let stock = Store::open(STORE)?.get(&stock::key(&sku))?;
    stock
        .map(Json)
        .ok_or_else(|| Failure::not_found(format!("there is no {sku}")))
}
