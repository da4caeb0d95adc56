//! What a caller is told when something went wrong.

use berth_sdk::{
    Error, Kind,
    http::{HeaderValue, IntoResponse, Json, Response, StatusCode, header},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt;

/// An answer that is not a success: a status, a short code for programs, a sentence for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub(crate) status: u16,
    pub(crate) body: Map<String, Value>,
}

impl Failure {
    /// `{"error": code, "message": message}` with this status.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        let mut body = Map::new();
        body.insert("error".into(), json!(code));
        body.insert("message".into(), json!(message.into()));
        Self { status, body }
    }

    /// 400: the caller must change this field, such as `items[0].qty`.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message).with("field", field.into())
    }

    /// 404.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(404, "not-found", what)
    }

    /// 409.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "conflict", message)
    }

    /// 503: nothing is wrong with the request; it may be sent again.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "unavailable", message)
    }

    /// What another service answered, passed on as it is.
    pub fn passed_on(status: u16, body: &[u8]) -> Self {
        let body = serde_json::from_slice(body).unwrap_or_default();
        Self { status, body }
    }

    /// The status of the answer.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The short code for programs.
    pub fn code(&self) -> &str {
        let code = self.body.get("error").and_then(Value::as_str);
        code.unwrap_or("unknown")
    }

    /// One more thing that a program may want to know.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body.insert(name.into(), value.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self
            .body
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or("no reason was given");
        write!(formatter, "{} {message}", self.status)
    }
}

impl Serialize for Failure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.body.serialize(serializer)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            eprintln!("{self}");
        }
        let mut response = (status, Json(self)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let soon = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        response
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.message();
        match error.kind() {
            Kind::Conflict | Kind::Exists | Kind::NotAllowed => Self::conflict(message),
            Kind::Invalid => Self::new(400, "invalid", message),
            Kind::TooLarge => Self::new(413, "too-large", message),
            Kind::Unavailable => Self::unavailable(message),
            Kind::Timeout => Self::new(504, "timeout", message),
            // The operator's to mend, not the caller's: a store that is missing, or that this app must not use.
            kind => Self::new(500, kind.as_str(), message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_field_is_named() {
        let failure = Failure::invalid("items[0].qty", "must be a whole number");
        assert_eq!(
            serde_json::to_string(&failure).expect("a failure is JSON"),
            r#"{"error":"invalid","message":"must be a whole number","field":"items[0].qty"}"#
        );
    }

    #[test]
    fn what_may_be_tried_again_is_told_apart() {
        let status = |kind| Failure::from(Error::new(kind, "")).status;
        assert_eq!(status(Kind::Conflict), 409);
        assert_eq!(status(Kind::Unavailable), 503);
        assert_eq!(status(Kind::Timeout), 504);
        assert_eq!(status(Kind::NotFound), 500);
    }
}
