//! Answers of the door.

use berth_blocks::invocation::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full};
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Done, and nothing to say.
pub(super) fn empty() -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// 200 with bytes. JSON unless it says otherwise.
pub(super) fn data(bytes: Bytes, content_type: Option<&str>) -> Response<Body> {
    whole(StatusCode::OK, bytes, content_type)
}

/// 200 with a value as JSON.
pub(super) fn json(value: &impl Serialize) -> Response<Body> {
    json_with(StatusCode::OK, value)
}

/// A value as JSON.
pub(super) fn json_with(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // Maps with text as keys, and nothing that fails to serialise, are all that is given to this.
    let text = serde_json::to_vec(value).unwrap_or_default();
    whole(status, text.into(), None)
}

fn whole(status: StatusCode, bytes: Bytes, content_type: Option<&str>) -> Response<Body> {
    let body = Full::new(bytes).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let content_type = content_type.and_then(|text| HeaderValue::from_str(text).ok());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type.unwrap_or(JSON));
    response
}

/// Metadata of an answer: `metadata.<name>`.
pub(super) fn add_metadata(headers: &mut HeaderMap, metadata: &[(String, String)]) {
    for (name, value) in metadata {
        let name = HeaderName::from_bytes(format!("metadata.{name}").as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
}

/// Dapr's answer to a wrong token, which is no JSON.
pub(super) fn invalid_token() -> Response<Body> {
    plain(StatusCode::UNAUTHORIZED, "invalid api token\n")
}

/// The answer of Go's server to a head over the limit.
pub(super) fn head_too_large() -> Response<Body> {
    plain(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "431 Request Header Fields Too Large\n",
    )
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let bytes = Bytes::from_static(text.as_bytes());
    let mut response = whole(status, bytes, Some("text/plain; charset=utf-8"));
    let nosniff = HeaderValue::from_static("nosniff");
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
