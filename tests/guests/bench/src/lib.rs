//! Repeats one call to an import and answers how many nanoseconds that took, by the guest's own clock:
//!
//! - `/bench/state/get?n=1000`, `/bench/state/set?n=1000`: the store `statestore`; `&from=64` takes other keys. Only what
//!   `/bench/state/fill` has written can be got.
//! - `/bench/publish?n=1000`: the topic `published` of `pubsub`.
//! - `/bench/invoke?n=1000`: the app `hello` through `berth:invocation`.
//! - `/bench/fetch?n=1000`: the app `hello` through `wasi:http`.
//! - `/bench/workflow?n=10`: one workflow of so many activities, one after the other.
//! - `/bench/workflow/park?n=10&from=7`: starts instance 7, which does that and then waits; `/bench/workflow/waits?from=7`
//!   whether it does, `/bench/workflow/raise?from=7` lets it go on, `/bench/workflow/end?from=7` waits for its end.
//! - `/bench/workflow/sleep?n=10&from=7`: starts instance 7, which sleeps for so many milliseconds.
//!
//! The first part of the path is whatever the ingress knows the app by. Messages of any topic are handled at once.

mod http;
mod invocation;
mod pubsub;
mod state;
mod workflow;

use bindings::exports::wasi::http::incoming_handler;
use bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:bench;

            world bench {
                import berth:state/store@0.1.0;
                import berth:pubsub/publisher@0.1.0;
                import berth:invocation/invoker@0.1.0;
                import berth:workflow/client@0.1.0;
                import berth:workflow/context@0.1.0;
                import wasi:http/outgoing-handler@0.2.12;
                export wasi:http/incoming-handler@0.2.12;
                export berth:pubsub/subscriber@0.1.0;
                export berth:workflow/workflows@0.1.0;
                export berth:workflow/activities@0.1.0;
                export berth:workflow/registry@0.1.0;
            }
        ",
        generate_all,
    });
}

struct Bench;

bindings::export!(Bench with_types_in bindings);

/// What is asked for in the query.
struct Loop {
    times: u32,
    from: u32,
}

impl Loop {
    fn of(query: &str) -> Self {
        let number = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(found, _)| *found == name)
                .and_then(|(_, value)| value.parse().ok())
        };
        Self {
            times: number("n").unwrap_or(1),
            from: number("from").unwrap_or(0),
        }
    }
}

impl incoming_handler::Guest for Bench {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or("/".to_owned());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (_, what) = path[1..].split_once('/').unwrap_or_default();
        match measure(what, &Loop::of(query)) {
            Some(Ok(nanoseconds)) => http::answer(outparam, 200, &nanoseconds.to_string()),
            Some(Err(error)) => http::answer(outparam, 500, &error),
            None => http::answer(outparam, 404, "no such measurement"),
        }
    }
}

fn measure(what: &str, calls: &Loop) -> Option<Result<u128, String>> {
    Some(match what {
        "state/get" => state::get(calls),
        "state/set" => state::set(calls),
        "state/fill" => state::fill(),
        "publish" => pubsub::publish(calls),
        "invoke" => invocation::invoke(calls),
        "fetch" => invocation::fetch(calls),
        "workflow" => workflow::run(calls),
        "workflow/park" => workflow::park(calls),
        "workflow/sleep" => workflow::sleep(calls),
        "workflow/raise" => workflow::raise(calls),
        "workflow/waits" => workflow::waits(calls),
        "workflow/end" => workflow::end(calls),
        _ => return None,
    })
}
