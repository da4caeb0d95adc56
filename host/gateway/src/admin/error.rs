//! What a client of the admin API sees when a request fails: Dapr's error shape.

use super::reports::ErrorReport;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use berth_blocks::pubsub::PubSubError;
use berth_resources::InvalidName;
use http::StatusCode;

/// A failed request.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    report: ErrorReport,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let report = ErrorReport {
            error_code: code.to_owned(),
            message: message.into(),
        };
        Self { status, report }
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "ERR_NOT_FOUND", message)
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ERR_INVALID", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        // The header tells an answer of this API from one of an app that was invoked through it.
        let reason = [("berth-reason", "admin")];
        (self.status, reason, Json(self.report)).into_response()
    }
}

impl From<PubSubError> for ApiError {
    fn from(error: PubSubError) -> Self {
        use PubSubError as E;
        let (status, code) = match &error {
            E::NotConfigured(_) | E::NotFound(_) => (StatusCode::NOT_FOUND, "ERR_NOT_FOUND"),
            E::Denied(_) => (StatusCode::FORBIDDEN, "ERR_DENIED"),
            E::Invalid(_) | E::InvalidMetadata(_) | E::InvalidEvent(_) | E::InvalidEntry(_) => {
                (StatusCode::BAD_REQUEST, "ERR_INVALID")
            }
            E::Unsupported(_) => (StatusCode::NOT_IMPLEMENTED, "ERR_UNSUPPORTED"),
            E::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "ERR_UNAVAILABLE"),
            E::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "ERR_TIMEOUT"),
            E::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "ERR_TOO_LARGE"),
            E::Other(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ERR_OTHER"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<InvalidName> for ApiError {
    fn from(error: InvalidName) -> Self {
        Self::invalid(error.to_string())
    }
}

pub(super) async fn no_route() -> ApiError {
    ApiError::not_found("the admin API has no such route")
}
