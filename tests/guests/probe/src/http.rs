//! Requests and responses in one piece.

use crate::bindings::wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

/// `blocking-write-and-flush` takes no more at once.
const WRITE_MAX: usize = 4096;

pub struct Request {
    pub path: String,
    pub body: Vec<u8>,
    query: String,
}

impl Request {
    pub fn read(request: IncomingRequest) -> Self {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Self {
            path: path.to_owned(),
            query: query.to_owned(),
            body: body(&request),
        }
    }

    /// A parameter as it was sent, which tests do without escapes.
    pub fn parameter(&self, name: &str) -> String {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(given, _)| *given == name);
        found.map_or(String::new(), |(_, value)| value.to_owned())
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

/// Answers with a short text.
pub fn answer(outparam: ResponseOutparam, status: u16, text: &str) {
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
