//! Repeats one call to an import and answers how many nanoseconds that took, by the guest's own clock:
//!
//! - `/bench/state/get?n=1000`, `/bench/state/set?n=1000`: the store `statestore`.
//! - `/bench/invoke?n=1000`: the app `hello` through `berth:invocation`.
//! - `/bench/fetch?n=1000`: the app `hello` through `wasi:http`.

mod http;
mod invocation;
mod state;

use bindings::exports::wasi::http::incoming_handler;
use bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:bench;

            world bench {
                import berth:state/store@0.1.0;
                import berth:invocation/invoker@0.1.0;
                import wasi:http/outgoing-handler@0.2.12;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        generate_all,
    });
}

struct Bench;

bindings::export!(Bench with_types_in bindings);

impl incoming_handler::Guest for Bench {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let times = query
            .strip_prefix("n=")
            .and_then(|n| n.parse().ok())
            .unwrap_or(1);
        match measure(path, times) {
            Some(Ok(nanoseconds)) => http::answer(outparam, 200, &nanoseconds.to_string()),
            Some(Err(error)) => http::answer(outparam, 500, &error),
            None => http::answer(outparam, 404, "no such measurement"),
        }
    }
}

fn measure(path: &str, times: u32) -> Option<Result<u128, String>> {
    Some(match path {
        "/bench/state/get" => state::get(times),
        "/bench/state/set" => state::set(times),
        "/bench/invoke" => invocation::invoke(times),
        "/bench/fetch" => invocation::fetch(times),
        _ => return None,
    })
}
