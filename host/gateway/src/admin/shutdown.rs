//! `POST /shutdown`: the same as SIGTERM.

use super::AdminState;
use axum::extract::State;
use http::StatusCode;
use std::sync::Arc;

pub(super) async fn shutdown(State(state): State<Arc<AdminState>>) -> StatusCode {
    state.shutdown.cancel();
    StatusCode::ACCEPTED
}
