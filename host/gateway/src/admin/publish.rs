//! `POST /publish/{pubsub}/{topic}?app=<publisher>`: publishes as an app, with the rights of that app.

use super::{AdminState, error::ApiError, invoke::find_app};
use axum::{
    body::Bytes,
    extract::{Path, Query, State},
};
use berth_blocks::{Caller, Message, PublishOptions};
use berth_telemetry::trace::Origin;
use http::{HeaderMap, StatusCode, header};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long the broker may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The query: `app`, `namespace`, and `metadata.<name>` as in Dapr.
pub(super) async fn publish(
    State(state): State<Arc<AdminState>>,
    Path((pubsub, topic)): Path<(String, String)>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    data: Bytes,
) -> Result<StatusCode, ApiError> {
    let named = |wanted: &str| {
        let found = query.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let app = named("app").ok_or_else(|| {
        ApiError::invalid("expected the query parameter `app`: the app ID that publishes")
    })?;
    let app_id = match named("namespace") {
        Some(namespace) => format!("{app}.{namespace}"),
        None => app.to_owned(),
    };
    let target = find_app(&state, &app_id)?;
    let tracer = state
        .blocks
        .tracing()
        .tracer(&target.namespace, &target.app);
    let caller = Arc::new(Caller {
        trace: tracer.join(Origin::of_headers(&headers)),
        namespace: target.namespace,
        app: target.app,
        deadline: Instant::now() + TIMEOUT,
    });
    let content_type = headers.get(header::CONTENT_TYPE);
    let message = Message {
        data,
        content_type: content_type
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
    };
    let metadata = query.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("metadata.")?;
        Some((name.to_owned(), value.clone()))
    });
    let options = PublishOptions {
        metadata: metadata.collect(),
        ..PublishOptions::default()
    };
    let publisher = state.blocks.publisher(&caller, &pubsub);
    publisher.publish(&topic, message, options).await?;
    Ok(StatusCode::NO_CONTENT)
}
