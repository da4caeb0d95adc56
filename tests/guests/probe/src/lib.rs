//! Shows what an app sees of its host: secrets, state stores, its place in a trace, and messages over HTTP, one by one and
//! in batches.

mod http;
mod messages;
mod spans;

use bindings::berth::secrets::store as secrets;
use bindings::berth::state::store as state;
use bindings::exports::wasi::http::incoming_handler;
use bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use http::{Request, answer};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:probe;

            world probe {
                import berth:state/store@0.1.0;
                import berth:secrets/store@0.1.0;
                import berth:telemetry/tracing@0.1.0;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        generate_all,
    });
}

struct Probe;

bindings::export!(Probe with_types_in bindings);

impl incoming_handler::Guest for Probe {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let request = Request::read(request);
        match request.path.as_str() {
            "/secret" => secret(&request, outparam),
            "/secrets" => names(&request, outparam),
            "/state" => store(&request, outparam),
            "/span" => answer(outparam, 200, &spans::pack()),
            _ => {
                let (status, body) = messages::take(&request.body);
                answer(outparam, status, &body);
            }
        }
    }
}

/// `field=value` of each field.
fn secret(request: &Request, outparam: ResponseOutparam) {
    let options = secrets::GetOptions { metadata: vec![] };
    let (store, name) = (request.parameter("store"), request.parameter("name"));
    match secrets::get(&store, &name, &options) {
        Ok(secret) => {
            let fields: Vec<_> = secret
                .values
                .iter()
                .map(|(field, value)| format!("{field}={value}"))
                .collect();
            answer(outparam, 200, &fields.join(" "));
        }
        Err(error) => refused(outparam, &error),
    }
}

fn names(request: &Request, outparam: ResponseOutparam) {
    let options = secrets::GetOptions { metadata: vec![] };
    match secrets::get_bulk(&request.parameter("store"), &options) {
        Ok(secrets) => {
            let names: Vec<_> = secrets.into_iter().map(|secret| secret.name).collect();
            answer(outparam, 200, &names.join(" "));
        }
        Err(error) => refused(outparam, &error),
    }
}

fn refused(outparam: ResponseOutparam, error: &secrets::Error) {
    let status = match error {
        secrets::Error::NotFound(_) => 404,
        secrets::Error::Denied(_) => 403,
        _ => 500,
    };
    answer(outparam, status, &format!("{error:?}"));
}

/// Whether a store can be opened.
fn store(request: &Request, outparam: ResponseOutparam) {
    match state::open(&request.parameter("store")) {
        Ok(_) => answer(outparam, 200, "open"),
        Err(error) => answer(outparam, 404, &format!("{error:?}")),
    }
}
