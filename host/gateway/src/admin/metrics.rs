//! `GET /metrics`: Prometheus' text format.

use super::AdminState;
use axum::{extract::State, response::IntoResponse};
use berth_runtime::LoadedApp;
use http::header;
use metrics::gauge;
use std::sync::Arc;

pub(super) async fn metrics(State(state): State<Arc<AdminState>>) -> impl IntoResponse {
    for app in state.runtime.apps() {
        measure(&app);
    }
    let form = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, form)], state.metrics.render())
}

/// How near an app is to its limits. Looked up when somebody asks, so that no call pays for it.
fn measure(app: &LoadedApp) {
    let (usage, app) = (app.usage(), app.app());
    let values = [
        ("concurrency", usage.in_flight, app.limits.concurrency),
        ("queue", usage.queued, app.limits.queue),
    ];
    for (limit, used, most) in values {
        let labels = [
            ("namespace", app.namespace.to_string()),
            ("app", app.id.to_string()),
            ("limit", limit.to_owned()),
        ];
        gauge!("berth_app_limit_used", &labels).set(f64::from(used));
        gauge!("berth_app_limit", &labels).set(f64::from(most));
    }
}
