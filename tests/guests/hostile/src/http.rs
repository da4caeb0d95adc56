//! Requests and responses, in pieces.

use crate::bindings::wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::bindings::wasi::io::streams::{OutputStream, StreamError};

/// Path and query of a request.
pub struct Target {
    pub path: String,
    query: String,
}

impl Target {
    pub fn of(request: &IncomingRequest) -> Self {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Self {
            path: path.to_owned(),
            query: query.to_owned(),
        }
    }

    /// A parameter as it was sent, which tests do without escapes.
    pub fn text(&self, name: &str, default: &str) -> String {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(given, _)| *given == name);
        found.map_or(default, |(_, value)| value).to_owned()
    }

    pub fn number(&self, name: &str, default: u64) -> u64 {
        self.text(name, "").parse().unwrap_or(default)
    }
}

/// A response whose body is still being written.
pub struct Body {
    body: OutgoingBody,
    stream: OutputStream,
}

impl Body {
    /// Sends the head of the response.
    pub fn start(outparam: ResponseOutparam, status: u16, headers: Fields) -> Self {
        let response = OutgoingResponse::new(headers);
        response
            .set_status_code(status)
            .expect("the status is in range");
        let body = response.body().expect("the body is taken once");
        let stream = body.write().expect("the stream is taken once");
        ResponseOutparam::set(outparam, Ok(response));
        Self { body, stream }
    }

    /// Writes as much at once as the host takes, and waits where it takes nothing.
    pub fn write(&self, mut bytes: &[u8]) -> Result<(), StreamError> {
        while !bytes.is_empty() {
            let permitted = usize::try_from(self.stream.check_write()?).unwrap_or(usize::MAX);
            if permitted == 0 {
                self.stream.subscribe().block();
                continue;
            }
            let (now, later) = bytes.split_at(permitted.min(bytes.len()));
            self.stream.write(now)?;
            bytes = later;
        }
        Ok(())
    }

    pub fn flush(&self) -> Result<(), StreamError> {
        self.stream.blocking_flush()
    }

    pub fn finish(self) {
        // The caller may have gone away, which is no concern of the guest.
        let _ = self.flush();
        drop(self.stream);
        let _ = OutgoingBody::finish(self.body, None);
    }
}

/// Answers with a short text.
pub fn answer(outparam: ResponseOutparam, status: u16, text: &str) {
    let body = Body::start(outparam, status, Fields::new());
    let _ = body.write(text.as_bytes());
    body.finish();
}

/// Answers with `count` headers. The host may refuse to take that many.
pub fn answer_with_headers(outparam: ResponseOutparam, count: u64) {
    let headers = Fields::new();
    for number in 1..=count {
        if headers.append(&format!("x-{number}"), b"value").is_err() {
            return answer(outparam, 500, &format!("refused header {number}"));
        }
    }
    Body::start(outparam, 200, headers).finish();
}
