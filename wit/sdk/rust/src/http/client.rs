//! Requests to the outside.

use super::{Request, Response, wire};
use crate::{
    Error, Kind, Result,
    bindings::imports::wasi::http::{
        outgoing_handler,
        types::{ErrorCode, Method, OutgoingRequest, Scheme},
    },
};

/// Sends a request to a server, and waits for its whole answer. The app's manifest must allow the address
/// (`allow.outbound`). For another app, see [`invoke`](crate::invoke).
///
/// # Errors
/// There was no answer: [`Kind::Denied`], [`Kind::Timeout`], [`Kind::Unavailable`], [`Kind::Invalid`]. An answer, 500
/// included, is none.
///
/// ```no_run
/// # fn main() -> berth_sdk::Result<()> {
/// use berth_sdk::http;
///
/// let mut request = http::Request::new(Vec::new());
/// *request.uri_mut() = http::Uri::from_static("https://api.example.com/rates");
/// let rates = http::send(request)?;
/// # drop(rates); Ok(()) }
/// ```
pub fn send(request: Request) -> Result<Response> {
    let (head, body) = request.into_parts();
    let invalid = |what: &str| Error::new(Kind::Invalid, format!("{}: {what}", head.uri));
    let scheme = match head.uri.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        _ => return Err(invalid("an address begins with http:// or https://")),
    };
    let outgoing = OutgoingRequest::new(wire::fields_of(&head.headers));
    let path = head.uri.path_and_query().map(|path| path.as_str());
    let authority = head.uri.authority().map(|authority| authority.as_str());
    let method = Method::Other(head.method.as_str().to_owned());
    let set = outgoing
        .set_method(&method)
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(authority))
        .and_then(|()| outgoing.set_path_with_query(path));
    set.map_err(|()| invalid("no address of a request"))?;
    let stream = outgoing.body();
    let stream = stream.map_err(|()| invalid("the body was taken before"))?;
    let answer = outgoing_handler::handle(outgoing, None).map_err(failed)?;
    // A server that answers early, or a host that sends nothing, takes no more of it: the answer says which.
    let _ = wire::write_body(stream, &body);
    answer.subscribe().block();
    let lost = || Error::new(Kind::Unavailable, format!("{}: no answer", head.uri));
    let answer = answer.get().ok_or_else(lost)?.map_err(|()| lost())?;
    let answer = answer.map_err(failed)?;
    let mut read = Response::default();
    *read.status_mut() = http::StatusCode::from_u16(answer.status())
        .map_err(|error| Error::malformed("the answer", error))?;
    *read.headers_mut() = wire::headers_of(&answer.headers());
    *read.body_mut() = wire::read_body(answer.consume().map_err(|()| lost())?)?;
    Ok(read)
}

fn failed(code: ErrorCode) -> Error {
    let kind = match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => Kind::Denied,
        ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::DestinationNotFound => Kind::Invalid,
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Kind::Timeout,
        _ => Kind::Unavailable,
    };
    Error::new(kind, format!("the request was not answered: {code:?}"))
}
