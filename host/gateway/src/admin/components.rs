//! `GET /components`: the backends and whether each answers.

use super::{
    AdminState,
    reports::{CircuitBreakerReport, ComponentReport, HealthStatus},
};
use axum::{Json, extract::State};
use berth_blocks::{BackendStatus, BreakerStatus, Health};
use std::sync::Arc;

pub(super) async fn list(State(state): State<Arc<AdminState>>) -> Json<Vec<ComponentReport>> {
    let backends = state.blocks.backends().await;
    Json(backends.into_iter().map(ComponentReport::from).collect())
}

impl From<BackendStatus> for ComponentReport {
    fn from(backend: BackendStatus) -> Self {
        let (status, error) = match backend.health {
            Health::Healthy => (HealthStatus::Healthy, None),
            Health::Unhealthy(error) => (HealthStatus::Unhealthy, Some(error)),
            Health::Failed(error) => (HealthStatus::Failed, Some(error)),
        };
        Self {
            namespace: backend.namespace.to_string(),
            name: backend.name,
            kind: backend.kind.0,
            version: backend.version,
            scopes: backend.scopes.iter().map(ToString::to_string).collect(),
            status,
            error,
            circuit_breakers: backend.breakers.iter().map(breaker).collect(),
        }
    }
}

fn breaker(status: &BreakerStatus) -> CircuitBreakerReport {
    CircuitBreakerReport {
        app: status.app.to_string(),
        direction: status.target.direction().to_owned(),
        state: status.worst().name().to_owned(),
    }
}
