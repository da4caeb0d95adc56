//! The contract guest in Rust. `tests/guests/contract/README.md` says what it does.

mod checks;
mod echo;
mod http;
mod messages;

use bindings::exports::wasi::http::incoming_handler;
use bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use http::{Request, Response};

mod bindings {
    wit_bindgen::generate!({ path: "../../../../wit", world: "berth:guest/traced-service", generate_all });
}

struct Guest;

bindings::export!(Guest with_types_in bindings);

impl incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        route(&Request::read(request)).send(outparam);
    }
}

fn route(request: &Request) -> Response {
    if request.path == "/contract" {
        checks::answer(request)
    } else if request.path == "/echo" {
        echo::answer(request)
    } else if let Some(id) = request.path.strip_prefix("/received/") {
        messages::answer(id)
    } else {
        Response::not_found()
    }
}
