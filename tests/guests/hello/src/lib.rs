//! Answers every request with `Hello, world!`. Benchmarks start it often, so it imports `wasi:http` and `wasi:io` alone:
//! without the standard library nothing asks for the environment, the clock or the terminal.

#![no_std]

extern crate alloc;

mod bare;

use bindings::exports::wasi::http::incoming_handler;
use bindings::wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:hello;

            world hello {
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        generate_all,
    });
}

struct Hello;

bindings::export!(Hello with_types_in bindings);

impl incoming_handler::Guest for Hello {
    fn handle(_request: IncomingRequest, outparam: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(outparam, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        // The caller may have gone away, which is no concern of the guest.
        let _ = stream.blocking_write_and_flush(b"Hello, world!\n");
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
