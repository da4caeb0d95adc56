//! `GET /components`: the backends and whether each answers; and the apps that are called under a circuit breaker.

use super::{
    AdminState,
    reports::{CircuitBreakerReport, ComponentReport, HealthStatus},
};
use axum::{Json, extract::State};
use berth_blocks::{BackendStatus, BreakerState, BreakerStatus, Health};
use std::sync::Arc;

pub(super) async fn list(State(state): State<Arc<AdminState>>) -> Json<Vec<ComponentReport>> {
    let backends = state.blocks.backends().await.into_iter();
    let mut reports: Vec<_> = backends.map(ComponentReport::from).collect();
    let breakers = state.blocks.app_breakers();
    let by_target =
        breakers.chunk_by(|a, b| (&a.namespace, &a.target) == (&b.namespace, &b.target));
    reports.extend(by_target.filter_map(called_app));
    Json(reports)
}

/// An app that others call under a circuit breaker; `*` are those that no document names. It is as healthy as the
/// breakers say: nobody asks it.
fn called_app(breakers: &[BreakerStatus]) -> Option<ComponentReport> {
    let first = breakers.first()?;
    let refuses = breakers
        .iter()
        .any(|own| own.worst() != BreakerState::Closed);
    Some(ComponentReport {
        namespace: first.namespace.to_string(),
        name: first.target.name().to_owned(),
        kind: "app".to_owned(),
        version: String::new(),
        scopes: Vec::new(),
        status: match refuses {
            true => HealthStatus::Unhealthy,
            false => HealthStatus::Healthy,
        },
        error: refuses.then(|| "a circuit breaker keeps calls away".to_owned()),
        circuit_breakers: breakers.iter().map(breaker).collect(),
    })
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
