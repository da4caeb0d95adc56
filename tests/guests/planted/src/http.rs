//! Requests and responses in one piece.

use crate::{
    Planted,
    bindings::{
        exports::wasi::http::incoming_handler,
        wasi::http::types::{
            Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse,
            ResponseOutparam,
        },
    },
    till,
};

/// `blocking-write-and-flush` takes no more at once.
const WRITE_MAX: usize = 4096;

/// A request.
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub key: Option<String>,
    pub body: Vec<u8>,
}

impl incoming_handler::Guest for Planted {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let (status, text) = till::serve(&read(&request));
        answer(outparam, status, &text);
    }
}

fn read(request: &IncomingRequest) -> Request {
    let target = request.path_with_query().unwrap_or_default();
    let keys = request.headers().get("idempotency-key");
    Request {
        method: match request.method() {
            Method::Get => "GET",
            Method::Post => "POST",
            _ => "",
        },
        path: target.split('?').next().unwrap_or_default().to_owned(),
        key: keys
            .first()
            .map(|value| String::from_utf8_lossy(value).into_owned()),
        body: body(request),
    }
}

fn body(request: &IncomingRequest) -> Vec<u8> {
    let body = request.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut bytes = Vec::new();
    while let Ok(chunk) = stream.blocking_read(64 * 1024) {
        bytes.extend(chunk);
    }
    drop(stream);
    drop(IncomingBody::finish(body));
    bytes
}

fn answer(outparam: ResponseOutparam, status: u16, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    response
        .set_status_code(status)
        .expect("the status is in range");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(outparam, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    for chunk in text.as_bytes().chunks(WRITE_MAX) {
        // The caller may have gone away, which is no concern of the guest.
        if stream.blocking_write_and_flush(chunk).is_err() {
            return;
        }
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}
