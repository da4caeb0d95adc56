//! `/v1.0/healthz`: the door opens when everything behind it is ready, so it is well until the host stops.

use super::{Door, Outcome, errors, query::Query, reply};

/// `GET /v1.0/healthz`, with `?appid=` for who wants to know that the app is still the same.
pub(super) fn healthz(door: &Door, query: Query<'_>) -> Outcome {
    if door.is_draining() {
        return Err(errors::not_ready());
    }
    match query.get("appid") {
        Some(app) if app != door.app() => Err(errors::another_app()),
        _ => Ok(reply::empty()),
    }
}

/// `GET /v1.0/healthz/outbound`
pub(super) fn outbound(door: &Door) -> Outcome {
    if door.is_draining() {
        return Err(errors::outbound_not_ready());
    }
    Ok(reply::empty())
}
