//! `GET /metrics`: Prometheus' text format.

use super::AdminState;
use axum::{extract::State, response::IntoResponse};
use http::header;
use std::sync::Arc;

pub(super) async fn metrics(State(state): State<Arc<AdminState>>) -> impl IntoResponse {
    let form = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, form)], state.metrics.render())
}
