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

use shop_kit::serve;
use wit::{
    berth::workflow::types::{Failure as Failed, Payload},
    exports::{
        berth::workflow::{
            activities::{Guest as Activities, Task},
            registry::Guest as Registry,
            workflows::Guest as Workflows,
        },
        wasi::http::incoming_handler::{Guest as Http, IncomingRequest, ResponseOutparam},
    },
};

mod wit {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package shop:order-saga;

            world order-saga {
                import berth:state/store@0.1.0;
                import berth:pubsub/publisher@0.1.0;
                import berth:invocation/invoker@0.1.0;
                import berth:workflow/client@0.1.0;
                import berth:workflow/context@0.1.0;
                export berth:workflow/workflows@0.1.0;
                export berth:workflow/activities@0.1.0;
                export berth:workflow/registry@0.1.0;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        world: "shop:order-saga/order-saga",
        with: {
            "wasi:http/types@0.2.12": shop_kit::wit::wasi::http::types,
            "berth:state/store@0.1.0": shop_kit::wit::berth::state::store,
        },
        generate_all,
    });
}

struct OrderSaga;
wit::export!(OrderSaga with_types_in wit);

impl Registry for OrderSaga {
    fn workflows() -> Vec<String> {
        vec![saga::NAME.to_owned()]
    }

    fn activities() -> Vec<String> {
        activities::NAMES.map(str::to_owned).to_vec()
    }
}

impl Workflows for OrderSaga {
    fn run(_name: String, input: Payload) -> Result<Payload, Failed> {
        saga::run(&from_json(&input)?).map(|done| json(&done))
    }
}

impl Activities for OrderSaga {
    fn run(task: Task, name: String, input: Payload) -> Result<Payload, Failed> {
        activities::run(&task, &name, &from_json(&input)?).map(|()| json(&()))
    }
}

impl Http for OrderSaga {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        serve(request, response, |request| {
            match (request.verb(), request.path().as_slice()) {
                ("POST", ["sagas"]) => sagas::start(request),
                ("GET", ["sagas", id]) => sagas::show(&request.id("orderId", id)?),
                ("POST", ["sagas", id, "approve"]) => sagas::approve(&request.id("orderId", id)?),
                ("DELETE", ["sagas", id]) => sagas::cancel(&request.id("orderId", id)?),
                ("GET", ["sagas", id, "ledger"]) => sagas::ledger(&request.id("orderId", id)?),
                _ => Err(request.unmatched()),
            }
        })
    }
}

fn json(value: &impl serde::Serialize) -> Payload {
    Payload {
        data: serde_json::to_vec(value).expect("what the saga sends is representable as JSON"),
        content_type: Some("application/json".to_owned()),
    }
}

fn from_json<T: serde::de::DeserializeOwned>(payload: &Payload) -> Result<T, Failed> {
    serde_json::from_slice(&payload.data).map_err(|error| Failed {
        kind: "malformed".to_owned(),
        message: error.to_string(),
        non_retryable: true,
    })
}
