//! `GET /healthz`: the host serves. It answers only while that is so: the API starts after everything else.

use http::StatusCode;

pub(super) async fn healthz() -> StatusCode {
    StatusCode::NO_CONTENT
}
