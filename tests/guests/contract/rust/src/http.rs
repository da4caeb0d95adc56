//! Requests and responses in one piece, over the streams of `wasi:http`.

use crate::bindings::wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::bindings::wasi::io::streams::StreamError;

/// `blocking-write-and-flush` takes no more at once.
const MAX_WRITE: usize = 4096;

pub struct Request {
    pub verb: String,
    pub path: String,
    pub query: String,
    pub body: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    pub fn read(request: IncomingRequest) -> Self {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Self {
            verb: verb(request.method()),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: request.headers().entries(),
            body: read_body(request),
        }
    }

    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

fn verb(method: Method) -> String {
    match method {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Put => "PUT".to_owned(),
        Method::Delete => "DELETE".to_owned(),
        Method::Connect => "CONNECT".to_owned(),
        Method::Options => "OPTIONS".to_owned(),
        Method::Trace => "TRACE".to_owned(),
        Method::Patch => "PATCH".to_owned(),
        Method::Other(name) => name,
    }
}

fn read_body(request: IncomingRequest) -> Vec<u8> {
    let body = request.consume().expect("nobody else has taken the body");
    let stream = body.stream().expect("nobody else has taken the stream");
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                panic!("reading the body: {}", error.to_debug_string())
            }
        }
    }
    drop(stream);
    drop(IncomingBody::finish(body));
    bytes
}

pub struct Response {
    status: u16,
    body: Vec<u8>,
}

impl Response {
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, body }
    }

    pub fn not_found() -> Self {
        Self::json(404, br#"{"error":"not found"}"#.to_vec())
    }

    pub fn send(self, outparam: ResponseOutparam) {
        let headers =
            Fields::from_list(&[("content-type".to_owned(), b"application/json".to_vec())])
                .expect("the header is well-formed");
        let response = OutgoingResponse::new(headers);
        response
            .set_status_code(self.status)
            .expect("the status is in range");
        let body = response.body().expect("nobody else has taken the body");
        ResponseOutparam::set(outparam, Ok(response));
        let stream = body.write().expect("nobody else has taken the stream");
        for chunk in self.body.chunks(MAX_WRITE) {
            if stream.blocking_write_and_flush(chunk).is_err() {
                return;
            }
        }
        drop(stream);
        // The caller may have gone away, which is no concern of the guest.
        let _ = OutgoingBody::finish(body, None);
    }
}
