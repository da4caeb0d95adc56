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

use shop_kit::{Documents, Failure, Field, Reply, Request, last_write, serve};
use stock::{QTY_MAX, Stock};
use wit::exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};

mod wit {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package shop:inventory-service;

            world inventory-service {
                import wasi:random/random@0.2.12;
                import berth:state/store@0.1.0;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        world: "shop:inventory-service/inventory-service",
        with: {
            "wasi:http/types@0.2.12": shop_kit::wit::wasi::http::types,
            "wasi:random/random@0.2.12": shop_kit::wit::wasi::random::random,
            "berth:state/store@0.1.0": shop_kit::wit::berth::state::store,
        },
        generate_all,
    });
}

struct InventoryService;
wit::export!(InventoryService with_types_in wit);

impl Guest for InventoryService {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        serve(request, response, |request| {
            match (request.verb(), request.path().as_slice()) {
                ("PUT", ["inventory", sku]) => put(request.id("sku", sku)?, request),
                ("GET", ["inventory", sku]) => show(&request.id("sku", sku)?),
                ("POST", ["reserve"]) => reservations::reserve(request),
                ("POST", ["release"]) => reservations::release(request),
                _ => Err(request.unmatched()),
            }
        })
    }
}

fn put(sku: String, request: &Request) -> Result<Reply, Failure> {
    let qty = Field::body(&request.json()?)
        .get("qty")
        .whole(0..=QTY_MAX)?;
    let stock = Stock { sku, qty };
    Documents::open("statestore")?.save(&stock::key(&stock.sku), &stock, last_write())?;
    Ok(Reply::json(200, &stock))
}

fn show(sku: &str) -> Result<Reply, Failure> {
    let stock = Documents::open("statestore")?.find::<Stock>(&stock::key(sku))?;
    let stock = stock.ok_or_else(|| Failure::not_found(format!("there is no {sku}")))?;
    Ok(Reply::json(200, &stock.value))
}
