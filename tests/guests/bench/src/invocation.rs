//! Calls to the app `hello`, whose whole answer is read.

use crate::Loop;
use crate::bindings::berth::invocation::invoker::{self, Request};
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    Fields, IncomingBody, IncomingResponse, OutgoingRequest, Scheme,
};
use crate::bindings::wasi::io::streams::StreamError;
use std::time::Instant;

const APP: &str = "hello";
const CHUNK: u64 = 64 * 1024;

pub fn invoke(calls: &Loop) -> Result<u128, String> {
    repeat(calls, || {
        let request = Request {
            method: "hello".to_owned(),
            verb: "GET".to_owned(),
            headers: Vec::new(),
            query: None,
            body: Vec::new(),
            timeout_ms: None,
            metadata: Vec::new(),
        };
        let response = invoker::invoke(APP, &request).map_err(|error| format!("{error:?}"))?;
        check(response.status, &response.body)
    })
}

pub fn fetch(calls: &Loop) -> Result<u128, String> {
    repeat(calls, || {
        let request = OutgoingRequest::new(Fields::new());
        let fits = "the request is well-formed";
        request.set_scheme(Some(&Scheme::Http)).expect(fits);
        request.set_authority(Some(APP)).expect(fits);
        request.set_path_with_query(Some("/hello")).expect(fits);
        let future = outgoing_handler::handle(request, None).map_err(|code| format!("{code:?}"))?;
        future.subscribe().block();
        let answer = future.get().ok_or("no answer after waiting for it")?;
        let response = answer
            .map_err(|()| "the answer was taken twice".to_owned())?
            .map_err(|code| format!("{code:?}"))?;
        check(response.status(), &body(&response)?)
    })
}

fn repeat(calls: &Loop, call: impl Fn() -> Result<(), String>) -> Result<u128, String> {
    let began = Instant::now();
    for _ in 0..calls.times {
        call()?;
    }
    Ok(began.elapsed().as_nanos())
}

fn body(response: &IncomingResponse) -> Result<Vec<u8>, String> {
    let body = response
        .consume()
        .map_err(|()| "the body was taken twice")?;
    let stream = body.stream().map_err(|()| "the stream was taken twice")?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
    drop(stream);
    drop(IncomingBody::finish(body));
    Ok(bytes)
}

fn check(status: u16, body: &[u8]) -> Result<(), String> {
    if status == 200 && !body.is_empty() {
        Ok(())
    } else {
        Err(format!("{APP} answered {status} with {} bytes", body.len()))
    }
}
