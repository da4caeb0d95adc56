//! What a handler may answer with.

use super::{HeaderName, HeaderValue, Response, StatusCode, header};
use crate::{Error, Kind, json};
use serde::Serialize;

/// Anything that is an answer: text, [`Json`], a status, a status or headers beside one of them, a `Result` of two of them,
/// or a whole [`Response`].
pub trait IntoResponse {
    /// The answer.
    fn into_response(self) -> Response;
}

/// A value that is sent as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        with_status(self, Response::default())
    }
}

/// 204.
impl IntoResponse for () {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        body("text/plain; charset=utf-8", self.into_bytes())
    }
}

impl IntoResponse for &str {
    fn into_response(self) -> Response {
        self.to_owned().into_response()
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        body("application/octet-stream", self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match json::write("the answer", &self.0) {
            Ok(bytes) => body(json::MEDIA_TYPE, bytes),
            Err(error) => error.into_response(),
        }
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        with_status(self.0, self.1.into_response())
    }
}

/// Headers beside an answer. A value that is no legal header, such as one with a line break, is left out.
impl<T: IntoResponse, V: AsRef<str>, const N: usize> IntoResponse for ([(HeaderName, V); N], T) {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        for (name, value) in self.0 {
            if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl<T: IntoResponse, V: AsRef<str>, const N: usize> IntoResponse
    for (StatusCode, [(HeaderName, V); N], T)
{
    fn into_response(self) -> Response {
        (self.0, (self.1, self.2)).into_response()
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(answer) => answer.into_response(),
            Err(answer) => answer.into_response(),
        }
    }
}

/// `{"error": "conflict", "message": "..."}` with the status of its kind.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = status(self.kind());
        let told = serde_json::json!({ "error": self.kind().as_str(), "message": self.message() });
        let mut response = (status, Json(told)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let soon = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        response
    }
}

fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict | Kind::Exists | Kind::NotAllowed => StatusCode::CONFLICT,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Malformed | Kind::Other => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn with_status(status: StatusCode, mut response: Response) -> Response {
    *response.status_mut() = status;
    response
}

fn body(media_type: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(bytes);
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(answer: impl IntoResponse) -> (u16, String, String) {
        let response = answer.into_response();
        let media_type = response.headers().get(header::CONTENT_TYPE);
        let media_type = media_type.map_or("", |value| value.to_str().expect("text"));
        (
            response.status().as_u16(),
            media_type.to_owned(),
            String::from_utf8_lossy(response.body()).into_owned(),
        )
    }

    #[test]
    fn answers_of_every_form_have_status_type_and_body() {
        let text = "text/plain; charset=utf-8".to_owned();
        assert_eq!(told("hi"), (200, text, "hi".to_owned()));
        assert_eq!(told(()), (204, String::new(), String::new()));
        let json = "application/json".to_owned();
        let created = (StatusCode::CREATED, Json([1, 2]));
        assert_eq!(told(created), (201, json, "[1,2]".to_owned()));
    }

    #[test]
    fn an_error_is_an_answer_of_its_kind() {
        let failed: Result<(), _> = Err(Error::new(Kind::Unavailable, "busy"));
        let (status, _, body) = told(failed);
        assert_eq!(status, 503);
        assert_eq!(body, r#"{"error":"unavailable","message":"busy"}"#);
    }

    #[test]
    fn an_illegal_header_is_left_out() {
        let headers = [(header::ETAG, "a\nb"), (header::LOCATION, "/x")];
        let response = (headers, "").into_response();
        assert!(!response.headers().contains_key(header::ETAG));
        assert_eq!(response.headers()[header::LOCATION], "/x");
    }
}
