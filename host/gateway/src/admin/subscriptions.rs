//! `GET /subscriptions`: who receives which topic.

use super::{AdminState, reports::SubscriptionReport};
use axum::{Json, extract::State};
use berth_blocks::RunningSubscription;
use std::sync::Arc;

pub(super) async fn list(State(state): State<Arc<AdminState>>) -> Json<Vec<SubscriptionReport>> {
    let running = state.deliveries.list();
    Json(running.into_iter().map(SubscriptionReport::from).collect())
}

impl From<RunningSubscription> for SubscriptionReport {
    fn from(running: RunningSubscription) -> Self {
        Self {
            namespace: running.target.namespace.to_string(),
            app_id: running.target.app.to_string(),
            pubsub: running.pubsub,
            topic: running.topic,
            dead_letter_topic: running.dead_letter_topic,
            problem: running.problem,
        }
    }
}
