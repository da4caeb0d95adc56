//! order-service: takes orders and keeps carts.
//!
//! | request | what happens |
//! |---|---|
//! | `POST /orders` | reserve the stock, save the order, announce it; safe to send again |
//! | `GET /orders/{id}` | the order |
//! | `PUT`, `GET /carts/{userId}` | a cart that lives for an hour |
//! | `PATCH /carts/{userId}` | merge changes into it, unless somebody else was faster |
//! | `GET /reviews/{id}` | a review, which came as a message on the topic `reviews` |

mod carts;
mod inventory;
mod merge_patch;
mod orders;
mod payment;
mod reviews;
mod topic;

use berth_sdk::http::Router;

berth_sdk::guest! {
    http: routes,
    subscriptions: reviews::subscriptions,
}

fn routes() -> Router {
    Router::new()
        .post("/orders", orders::place)
        .get("/orders/{orderId}", orders::show)
        .put("/carts/{userId}", carts::put)
        .get("/carts/{userId}", carts::show)
        .patch("/carts/{userId}", carts::patch)
        .get("/reviews/{reviewId}", reviews::show)
}
