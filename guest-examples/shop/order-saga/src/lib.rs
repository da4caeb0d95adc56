//! order-saga: takes orders whose steps span services and days, and undoes what was done when one of them fails.
//!
//! | request | what happens |
//! |---|---|
//! | `POST /sagas` | starts the saga of an order: 202, and the same again for the same `orderId` |
//! | `GET /sagas/{orderId}` | how far it has come |
//! | `POST /sagas/{orderId}/approve` | lets a large order go on, which waits for that |
//! | `DELETE /sagas/{orderId}` | cancels it, and undoes what was done |
//! | `GET /sagas/{orderId}/ledger` | what was done in the world, and how often |
//!
//! The steps stand in [`saga`], what they do to the world in [`activities`].

mod activities;
mod ledger;
mod saga;
mod sagas;

use berth_sdk::{http::Router, workflow::Workflows};

berth_sdk::guest! {
    http: routes,
    workflows: workflows,
}

fn routes() -> Router {
    Router::new()
        .post("/sagas", sagas::start)
        .get("/sagas/{orderId}", sagas::show)
        .post("/sagas/{orderId}/approve", sagas::approve)
        .delete("/sagas/{orderId}", sagas::cancel)
        .get("/sagas/{orderId}/ledger", sagas::ledger)
}

fn workflows() -> Workflows {
    Workflows::new()
        .workflow(saga::ORDER, saga::run)
        .activity(activities::RESERVE, activities::reserve)
        .activity(activities::RELEASE, activities::release)
        .activity(activities::PAY, activities::pay)
        .activity(activities::REFUND, activities::refund)
        .activity(activities::FULFIL, activities::fulfil)
}
