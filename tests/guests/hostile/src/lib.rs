//! A guest that misbehaves. `README.md` lists its paths.

mod bodies;
mod exhaustion;
mod http;
mod messages;
mod reach;

use bindings::exports::wasi::http::incoming_handler;
use bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use http::Target;
use std::thread;
use std::time::Duration;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:hostile;

            world hostile {
                import wasi:http/outgoing-handler@0.2.12;
                import wasi:random/random@0.2.12;
                export wasi:http/incoming-handler@0.2.12;
                export berth:pubsub/subscriber@0.1.0;
            }
        ",
        generate_all,
    });
}

struct Hostile;

bindings::export!(Hostile with_types_in bindings);

impl incoming_handler::Guest for Hostile {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let target = Target::of(&request);
        match target.path.as_str() {
            "/ok" => http::answer(outparam, 200, "ok"),
            "/loop" => exhaustion::compute(),
            "/memory" => exhaustion::allocate(),
            "/overflow" => exhaustion::overflow(outparam),
            "/trap" => exhaustion::trap(),
            "/no-response" => {}
            "/log" => {
                log(target.number("n", 1));
                http::answer(outparam, 200, "logged");
            }
            "/log-flood" => log_flood(),
            "/sleep" => {
                thread::sleep(Duration::from_millis(target.number("ms", 1000)));
                http::answer(outparam, 200, "slept");
            }
            "/half" => bodies::abandon(outparam, target.number("bytes", 5)),
            "/slow-body" => bodies::stall_writing(outparam),
            "/slow-read" => bodies::stall_reading(request),
            "/echo" => bodies::echo(request, outparam),
            "/count" => bodies::count(request, outparam),
            "/big" => bodies::big(outparam, target.number("bytes", 1 << 20)),
            "/headers" => http::answer_with_headers(outparam, target.number("n", 1000)),
            "/env" => reach::environment(outparam),
            "/file" => reach::file(outparam, &target.text("path", "/")),
            "/connect" => reach::connect(outparam, &target.text("url", "http://127.0.0.1/")),
            "/sockets" => reach::sockets(outparam, &target.text("address", "127.0.0.1:80")),
            "/random" => reach::random(outparam),
            _ => http::answer(outparam, 404, "not found"),
        }
    }
}

fn log(lines: u64) {
    for line in 1..=lines {
        println!("out {line}");
        eprintln!("err {line}");
    }
}

fn log_flood() -> ! {
    let line = "x".repeat(999);
    loop {
        println!("{line}");
    }
}

/// Waits for ever, without computing.
fn stall() -> ! {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
