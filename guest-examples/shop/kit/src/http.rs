//! `wasi:http` in and out.

use crate::{
    Failure, Field, path,
    wit::wasi::{
        http::types::{
            Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
        },
        io::streams::StreamError,
    },
};
use serde::Serialize;
use serde_json::Value;

/// Largest request body that the shop reads.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that one `blocking-write-and-flush` takes.
const WRITE_BYTES_MAX: usize = 4096;

/// Reads the request, hands it to `route` and sends what it answers.
pub fn serve(
    request: IncomingRequest,
    response: ResponseOutparam,
    route: impl FnOnce(&Request) -> Result<Reply, Failure>,
) {
    let reply = Request::read(&request).and_then(|request| {
        route(&request).inspect_err(|failure| {
            if failure.status >= 500 {
                eprintln!("{} /{}: {failure}", request.verb, request.path.join("/"));
            }
        })
    });
    reply.unwrap_or_else(Reply::from).send(response);
}

/// A request that has arrived as a whole.
pub struct Request {
    verb: String,
    path: Vec<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    /// Such as `GET`.
    pub fn verb(&self) -> &str {
        &self.verb
    }

    /// The decoded segments of the path, to match on: `["orders", id]`.
    pub fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The first value of this name in the query string.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first header of this name that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        str::from_utf8(value).ok()
    }

    /// The body as JSON, not yet checked: see [`Field`].
    pub fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::invalid("body", format!("must be JSON: {error}")))
    }

    /// An identifier out of the path, checked like one out of a body.
    pub fn id(&self, name: &str, segment: &str) -> Result<String, Failure> {
        let path = serde_json::json!({ name: segment });
        Field::body(&path).get(name).id()
    }

    /// What to answer when no route matches.
    pub fn unmatched(&self) -> Failure {
        Failure::not_found(format!(
            "nothing answers {} /{}",
            self.verb,
            self.path.join("/")
        ))
    }

    fn read(request: &IncomingRequest) -> Result<Self, Failure> {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Ok(Self {
            verb: verb(request.method()),
            path: path::segments(path),
            query: path::pairs(query),
            headers: request.headers().entries(),
            body: read_body(request)?,
        })
    }
}

/// An answer.
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    /// A JSON body with this status.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        let body =
            serde_json::to_vec(body).expect("the shop's own types are representable as JSON");
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body,
        }
    }

    /// The same answer with one more header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn send(self, response: ResponseOutparam) {
        let headers = Fields::new();
        for (name, value) in &self.headers {
            // A value that is no legal header (an etag with a line break, say) is left out.
            let _ = headers.append(name, value.as_bytes());
        }
        let _ = headers.append("content-length", self.body.len().to_string().as_bytes());

        let outgoing = OutgoingResponse::new(headers);
        outgoing
            .set_status_code(self.status)
            .expect("the shop uses valid statuses");
        let body = outgoing.body().expect("the body is taken once");
        ResponseOutparam::set(response, Ok(outgoing));

        let stream = body.write().expect("the stream is taken once");
        let written = self
            .body
            .chunks(WRITE_BYTES_MAX)
            .try_for_each(|part| stream.blocking_write_and_flush(part));
        // The stream belongs to the body and must go first.
        drop(stream);
        // A caller that has gone away is not this guest's concern.
        if written.is_ok() {
            let _ = OutgoingBody::finish(body, None);
        }
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        let reply = Self::json(failure.status, &failure);
        if failure.status == 503 {
            reply.with_header("retry-after", "1")
        } else {
            reply
        }
    }
}

fn verb(method: Method) -> String {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(verb) => return verb,
    }
    .to_owned()
}

fn read_body(request: &IncomingRequest) -> Result<Vec<u8>, Failure> {
    let body = request.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(part) => bytes.extend(part),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(Failure::invalid(
                    "body",
                    format!("broke off: {}", error.to_debug_string()),
                ));
            }
        }
        if bytes.len() > BODY_BYTES_MAX {
            return Err(Failure::new(
                413,
                "too-large",
                format!("the body exceeds {BODY_BYTES_MAX} bytes"),
            ));
        }
    }
}
