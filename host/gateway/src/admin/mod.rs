//! The admin API: what the `berth` command asks a running host. JSON over HTTP on loopback.
//!
//! | route | file |
//! |---|---|
//! | `GET /healthz`, `GET /metrics` (open: probes and scrapers have no token) | `healthz`, `metrics` |
//! | `GET /apps`, `/components`, `/subscriptions`, `/depths` | the same |
//! | any verb on `/invoke/{app}/{method}` | `invoke` |
//! | `POST /publish/{pubsub}/{topic}` | `publish` |
//! | `/dlq/{pubsub}/{topic}`, `.../{id}`, `.../{id}/resend` | `dlq` |
//! | `GET /logs/level`, `PUT /logs/level[?app=<app>]` | `logs` |
//! | `GET /workflows`, `/workflows/{app}/{id}`, `.../history`; `POST` to start, raise, change, run again; `DELETE` | `workflows` |
//! | `POST /shutdown` | `shutdown` |
//!
//! Every other route needs `authorization: Bearer <token>`, and every request a Host header that names this machine, so
//! that no web page can reach the API through the user's browser. A namespace other than the host's own is given as
//! `?namespace=`.

mod apps;
mod auth;
mod components;
mod depths;
mod dlq;
mod error;
mod healthz;
mod invoke;
mod logs;
mod metrics;
mod publish;
pub mod reports;
mod server;
mod shutdown;
mod subscriptions;
mod workflows;

pub use auth::AdminToken;
pub use server::{Admin, ServingAdmin};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{any, get, post},
};
use berth_blocks::{Blocks, Deliveries, limits::MESSAGE_BYTES_MAX};
use berth_resources::Namespace;
use berth_runtime::Runtime;
use berth_telemetry::Metrics;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the routes look at.
pub struct AdminState {
    /// Backends and topics.
    pub blocks: Blocks,
    /// Apps.
    pub runtime: Arc<Runtime>,
    /// Subscriptions.
    pub deliveries: Arc<Deliveries>,
    /// For scrapers.
    pub metrics: Metrics,
    /// The namespace meant when a request names none.
    pub namespace: Namespace,
    /// Cancelled by `POST /shutdown`.
    pub shutdown: CancellationToken,
    /// What clients must show.
    pub token: AdminToken,
}

fn router(state: Arc<AdminState>) -> Router {
    let guarded = Router::new()
        .route("/apps", get(apps::list))
        .route("/components", get(components::list))
        .route("/subscriptions", get(subscriptions::list))
        .route("/depths", get(depths::list))
        .route("/invoke/{app}/{*method}", any(invoke::invoke))
        .route("/publish/{pubsub}/{topic}", post(publish::publish))
        .route("/workflows", get(workflows::list))
        .route(
            "/workflows/{app}/{id}",
            get(workflows::show).delete(workflows::purge),
        )
        .route("/workflows/{app}/{id}/history", get(workflows::history))
        .route("/workflows/{app}/{id}/start", post(workflows::start))
        .route(
            "/workflows/{app}/{id}/events/{event}",
            post(workflows::raise),
        )
        .route("/workflows/{app}/{id}/rerun/{from}", post(workflows::rerun))
        .route(
            "/workflows/{app}/{id}/state/{change}",
            post(workflows::change),
        )
        .layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX))
        .route("/dlq/{pubsub}/{topic}", get(dlq::list))
        .route(
            "/dlq/{pubsub}/{topic}/{id}",
            get(dlq::show).delete(dlq::delete),
        )
        .route("/dlq/{pubsub}/{topic}/{id}/resend", post(dlq::resend))
        .route("/logs/level", get(logs::show).put(logs::set))
        .route("/shutdown", post(shutdown::shutdown))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            auth::require_token,
        ));
    Router::new()
        .route("/healthz", get(healthz::healthz))
        .route("/metrics", get(metrics::metrics))
        .merge(guarded)
        .fallback(error::no_route)
        .layer(middleware::from_fn(auth::require_local_host))
        .with_state(state)
}
