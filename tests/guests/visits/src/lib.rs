//! What the template of `berth new` answers to `GET /visits`, over the bindings alone: what its SDK costs is the difference.

use bindings::berth::state::store::{self, GetOptions};
use bindings::exports::wasi::http::incoming_handler;
use bindings::wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use serde_json::{Value, json};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:visits;

            world visits {
                import berth:state/store@0.1.0;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        generate_all,
    });
}

struct Visits;

bindings::export!(Visits with_types_in bindings);

impl incoming_handler::Guest for Visits {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        match request.path_with_query().as_deref() {
            Some("/visits") => answer(outparam, 200, &json!({ "visits": visits() })),
            _ => answer(outparam, 404, &Value::Null),
        }
    }
}

fn visits() -> Value {
    let options = GetOptions {
        consistency: None,
        metadata: Vec::new(),
    };
    let store = store::open("statestore").expect("the store is there");
    let entry = store.get("visits", &options).expect("the store answers");
    entry.map_or(json!(0), |entry| {
        serde_json::from_slice(&entry.value).expect("JSON")
    })
}

fn answer(outparam: ResponseOutparam, status: u16, body: &Value) {
    let headers = [("content-type".to_owned(), b"application/json".to_vec())];
    let headers = Fields::from_list(&headers).expect("a legal header");
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("a legal status");
    let outgoing = response.body().expect("the body is taken once");
    ResponseOutparam::set(outparam, Ok(response));
    let stream = outgoing.write().expect("the stream is taken once");
    let bytes = serde_json::to_vec(body).expect("JSON");
    let _ = stream.blocking_write_and_flush(&bytes);
    drop(stream);
    let _ = OutgoingBody::finish(outgoing, None);
}
