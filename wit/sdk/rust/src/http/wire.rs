//! Between `wasi:http` and the `http` crate.

use super::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Router};
use crate::{
    Error, Kind, Result,
    bindings::imports::wasi::{
        http::types::{
            self, Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse,
            ResponseOutparam,
        },
        io::streams::StreamError,
    },
    http::IntoResponse,
};

/// Bytes that are read at once.
const READ_BYTES_MAX: u64 = 64 * 1024;
/// Bytes that one `blocking-write-and-flush` takes.
const WRITE_BYTES_MAX: usize = 4096;

/// Reads a request, has it answered and sends the answer.
pub fn serve(request: IncomingRequest, to: ResponseOutparam, router: &Router) {
    let answer = match read_request(request) {
        Ok(request) => router.answer(request),
        Err(error) => error.into_response(),
    };
    send_response(answer, to);
}

fn read_request(request: IncomingRequest) -> Result<Request> {
    let invalid = |error: &dyn std::fmt::Display| Error::new(Kind::Invalid, error.to_string());
    let path = request.path_with_query();
    let mut read = http::Request::builder()
        .method(method_of(request.method()).map_err(|error| invalid(&error))?)
        .uri(path.as_deref().unwrap_or("/"))
        .body(Vec::new())
        .map_err(|error| invalid(&error))?;
    *read.headers_mut() = headers_of(&request.headers());
    let body = request.consume();
    *read.body_mut() = read_body(body.map_err(|()| invalid(&"the body was taken before"))?)?;
    Ok(read)
}

/// The whole body.
pub(super) fn read_body(body: IncomingBody) -> Result<Vec<u8>> {
    let broken = |why: String| Error::new(Kind::Invalid, format!("the body broke off: {why}"));
    let stream = body.stream();
    let stream = stream.map_err(|()| broken("its stream was taken before".to_owned()))?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES_MAX) {
            Ok(part) => bytes.extend(part),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(broken(error.to_debug_string()));
            }
        }
    }
}

fn send_response(answer: Response, to: ResponseOutparam) {
    let (head, body) = answer.into_parts();
    let headers = fields_of(&head.headers);
    let _ = headers.set("content-length", &[body.len().to_string().into_bytes()]);
    let outgoing = OutgoingResponse::new(headers);
    // A status of the `http` crate is one that the host takes.
    let _ = outgoing.set_status_code(head.status.as_u16());
    let stream = outgoing.body();
    ResponseOutparam::set(to, Ok(outgoing));
    if let Ok(stream) = stream {
        // A caller that has gone away is not this guest's concern.
        let _ = write_body(stream, &body);
    }
}

/// Writes the whole body.
pub(super) fn write_body(to: OutgoingBody, bytes: &[u8]) -> Result<()> {
    let broken = |why: &str| Error::new(Kind::Unavailable, format!("the body was not sent: {why}"));
    let stream = to.write();
    let stream = stream.map_err(|()| broken("its stream was taken before"))?;
    for part in bytes.chunks(WRITE_BYTES_MAX) {
        let written = stream.blocking_write_and_flush(part);
        written.map_err(|error| broken(&format!("{error:?}")))?;
    }
    // The stream belongs to the body and must go first.
    drop(stream);
    OutgoingBody::finish(to, None).map_err(|error| broken(&format!("{error:?}")))
}

/// A header that is none for the host, such as `connection`, is left out.
pub(super) fn fields_of(headers: &HeaderMap) -> Fields {
    let fields = Fields::new();
    for (name, value) in headers {
        let _ = fields.append(name.as_str(), value.as_bytes());
    }
    fields
}

pub(super) fn headers_of(fields: &Fields) -> HeaderMap {
    let legal = fields.entries().into_iter().filter_map(|(name, value)| {
        Some((
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_bytes(&value).ok()?,
        ))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in legal {
        headers.append(name, value);
    }
    headers
}

fn method_of(method: types::Method) -> Result<Method, http::method::InvalidMethod> {
    Ok(match method {
        types::Method::Get => Method::GET,
        types::Method::Head => Method::HEAD,
        types::Method::Post => Method::POST,
        types::Method::Put => Method::PUT,
        types::Method::Delete => Method::DELETE,
        types::Method::Connect => Method::CONNECT,
        types::Method::Options => Method::OPTIONS,
        types::Method::Trace => Method::TRACE,
        types::Method::Patch => Method::PATCH,
        types::Method::Other(verb) => return Method::from_bytes(verb.as_bytes()),
    })
}
