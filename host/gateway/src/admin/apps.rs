//! `GET /apps`: what runs, and what it does.

use super::{AdminState, reports::AppReport};
use axum::{Json, extract::State};
use berth_runtime::LoadedApp;
use std::sync::Arc;

pub(super) async fn list(State(state): State<Arc<AdminState>>) -> Json<Vec<AppReport>> {
    Json(state.runtime.apps().iter().map(AppReport::of).collect())
}

impl AppReport {
    /// What people want to know of an app.
    #[must_use]
    pub fn of(loaded: &LoadedApp) -> Self {
        let (app, usage) = (loaded.app(), loaded.usage());
        Self {
            namespace: app.namespace.to_string(),
            app_id: app.id.to_string(),
            exports: exports(loaded),
            routes: app.http.as_ref().map(routes).unwrap_or_default(),
            guest: app.guest.display().to_string(),
            in_flight: usage.in_flight,
            queued: usage.queued,
            calls: usage.calls,
            failures: usage.failures,
            load_milliseconds: u64::try_from(loaded.load_time().as_millis()).unwrap_or(u64::MAX),
            from_cache: loaded.from_cache(),
        }
    }
}

fn exports(loaded: &LoadedApp) -> Vec<String> {
    let exports = loaded.exports();
    let all = [
        (exports.http, "http"),
        (exports.subscriber, "subscriber"),
        (exports.subscriptions, "subscriptions"),
        (exports.workflows, "workflows"),
        (exports.activities, "activities"),
    ];
    let present = all.iter().filter(|(present, _)| *present);
    present.map(|(_, name)| (*name).to_owned()).collect()
}

fn routes(http: &berth_resources::HttpExposure) -> Vec<String> {
    let host = http.host.as_deref().unwrap_or_default();
    if http.paths.is_empty() {
        return vec![format!("{host}/")];
    }
    http.paths
        .iter()
        .map(|path| format!("{host}{path}"))
        .collect()
}
