//! order-service: takes orders and keeps carts.
//!
//! | request | what happens |
//! |---|---|
//! | `POST /orders` | reserve the stock, save the order, announce it; safe to send again |
//! | `GET /orders/{id}` | the order |
//! | `PUT`, `GET /carts/{userId}` | a cart that lives for an hour |
//! | `PATCH /carts/{userId}` | merge changes into it, unless somebody else was faster |

mod carts;
mod inventory;
mod merge_patch;
mod orders;
mod payment;
mod topic;

use shop_kit::serve;
use wit::exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};

mod wit {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package shop:order-service;

            world order-service {
                import wasi:random/random@0.2.12;
                import berth:state/store@0.1.0;
                import berth:pubsub/publisher@0.1.0;
                import berth:invocation/invoker@0.1.0;
                import berth:secrets/store@0.1.0;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        world: "shop:order-service/order-service",
        with: {
            "wasi:http/types@0.2.12": shop_kit::wit::wasi::http::types,
            "berth:state/store@0.1.0": shop_kit::wit::berth::state::store,
        },
        generate_all,
    });
}

struct OrderService;
wit::export!(OrderService with_types_in wit);

impl Guest for OrderService {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        serve(request, response, |request| {
            match (request.verb(), request.path().as_slice()) {
                ("POST", ["orders"]) => orders::place(request),
                ("GET", ["orders", id]) => orders::show(&request.id("orderId", id)?),
                ("PUT", ["carts", user]) => carts::put(&request.id("userId", user)?, request),
                ("GET", ["carts", user]) => carts::show(&request.id("userId", user)?),
                ("PATCH", ["carts", user]) => carts::patch(&request.id("userId", user)?, request),
                _ => Err(request.unmatched()),
            }
        })
    }
}
