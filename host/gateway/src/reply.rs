//! Answers that a door gives itself: JSON in Dapr's error shape, the reason once more as a header.

use berth_blocks::invocation::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

/// Why a door refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    /// Stable code, also in the header `berth-reason`.
    pub reason: &'static str,
    /// `errorCode` of the body.
    pub code: &'static str,
    pub message: &'static str,
}

impl Refusal {
    /// The whole answer.
    pub fn response(self) -> Response<Body> {
        let text =
            serde_json::json!({ "errorCode": self.code, "message": self.message }).to_string();
        let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
        let mut response = Response::new(body.boxed_unsync());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert("berth-reason", HeaderValue::from_static(self.reason));
        response
    }
}
