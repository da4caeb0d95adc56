//! `GET /depths`: what waits in every topic.

use super::{
    AdminState,
    reports::{DepthProblem, DepthReport, DepthsReport},
};
use axum::{Json, extract::State};
use berth_blocks::{Backend, Block, pubsub::PubSubError};
use std::{sync::Arc, time::Duration};

/// How long one broker may take.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn list(State(state): State<Arc<AdminState>>) -> Json<DepthsReport> {
    let mut report = DepthsReport::default();
    for backend in state.blocks.snapshot().list() {
        if Block::of(&backend.kind) != Some(Block::PubSub) {
            continue;
        }
        match depths(&state, &backend).await {
            Ok(topics) => report.topics.extend(topics),
            // A broker that shows nothing is not in trouble.
            Err(PubSubError::Unsupported(_)) => {}
            Err(error) => report.problems.push(DepthProblem {
                namespace: backend.namespace.to_string(),
                pubsub: backend.name.to_string(),
                error: error.to_string(),
            }),
        }
    }
    Json(report)
}

async fn depths(state: &AdminState, backend: &Backend) -> Result<Vec<DepthReport>, PubSubError> {
    let topics = state.blocks.topics(&backend.namespace, &backend.name);
    let depths = tokio::time::timeout(TIMEOUT, topics.depths())
        .await
        .map_err(|_| PubSubError::Timeout(format!("no answer within {TIMEOUT:?}")))??;
    let report = depths.into_iter().map(|depth| DepthReport {
        namespace: backend.namespace.to_string(),
        pubsub: backend.name.to_string(),
        topic: depth.topic,
        group: depth.group,
        waiting: depth.waiting,
        in_flight: depth.in_flight,
    });
    Ok(report.collect())
}
