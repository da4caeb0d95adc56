//! A till whose environment plants a bug: `BUG=lost-update`. Without one it is right, under any crash.
//!
//! | request | what it does |
//! |---|---|
//! | `POST /count` | adds one to a counter |
//! | `POST /charge/{id}` | takes money, through the app `payment` |
//! | `POST /orders/{id}` | stores an order and announces it |
//! | `POST /receipts` | writes a receipt, whose key the client gives |
//! | `POST /transfer/{id}` | moves one from an account to another |
//! | `POST /sessions/{id}` | remembers somebody for an hour |
//! | `GET /login` | needs a secret |
//!
//! Messages of the topic `paid` are added up; the workflow `saga` reserves, waits for approval, and pays.

mod http;
mod messages;
mod saga;
mod store;
mod till;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:planted;

            world planted {
                import berth:state/store@0.1.0;
                import berth:pubsub/publisher@0.1.0;
                import berth:invocation/invoker@0.1.0;
                import berth:secrets/store@0.1.0;
                import berth:workflow/context@0.1.0;
                export berth:pubsub/subscriber@0.1.0;
                export berth:pubsub/subscriptions@0.1.0;
                export berth:workflow/workflows@0.1.0;
                export berth:workflow/activities@0.1.0;
                export berth:workflow/registry@0.1.0;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        world: "test:planted/planted",
        generate_all,
    });
}

struct Planted;
bindings::export!(Planted with_types_in bindings);

/// Whether this bug is planted.
fn has_bug(name: &str) -> bool {
    std::env::var("BUG").is_ok_and(|bug| bug == name)
}
