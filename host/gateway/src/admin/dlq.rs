//! `/dlq/{pubsub}/{topic}`: dead letters can be listed, read, sent again and deleted.

use super::{
    AdminState,
    error::ApiError,
    reports::{MessageReport, ResendReport},
};
use axum::{
    Json,
    extract::{Path, Query, State},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use berth_blocks::{Topics, pubsub::StoredMessage};
use http::StatusCode;
use serde::Deserialize;
use std::{sync::Arc, time::SystemTime};

/// Messages of one page, when the caller does not say.
const PAGE_DEFAULT: u32 = 100;
/// Messages of one page.
const PAGE_MAX: u32 = 1000;

/// Which part of a topic.
#[derive(Deserialize)]
pub(super) struct Page {
    namespace: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// Whose topic.
#[derive(Deserialize)]
pub(super) struct Tenant {
    namespace: Option<String>,
}

pub(super) async fn list(
    State(state): State<Arc<AdminState>>,
    Path((pubsub, topic)): Path<(String, String)>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<MessageReport>>, ApiError> {
    let topics = topics(&state, page.namespace.as_deref(), &pubsub)?;
    let limit = page.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let messages = topics.browse(&topic, page.after.as_deref(), limit).await?;
    Ok(Json(
        messages
            .into_iter()
            .map(|message| summary(&message))
            .collect(),
    ))
}

pub(super) async fn show(
    State(state): State<Arc<AdminState>>,
    Path((pubsub, topic, id)): Path<(String, String, String)>,
    Query(tenant): Query<Tenant>,
) -> Result<Json<MessageReport>, ApiError> {
    let topics = topics(&state, tenant.namespace.as_deref(), &pubsub)?;
    let message = topics.read(&topic, &id).await?;
    let mut report = summary(&message);
    match std::str::from_utf8(&message.data) {
        Ok(text) => report.data = Some(text.to_owned()),
        Err(_) => report.data_base64 = Some(STANDARD.encode(&message.data)),
    }
    Ok(Json(report))
}

pub(super) async fn resend(
    State(state): State<Arc<AdminState>>,
    Path((pubsub, topic, id)): Path<(String, String, String)>,
    Query(tenant): Query<Tenant>,
) -> Result<Json<ResendReport>, ApiError> {
    let topics = topics(&state, tenant.namespace.as_deref(), &pubsub)?;
    let topic = topics.resend(&topic, &id).await?;
    Ok(Json(ResendReport { topic }))
}

pub(super) async fn delete(
    State(state): State<Arc<AdminState>>,
    Path((pubsub, topic, id)): Path<(String, String, String)>,
    Query(tenant): Query<Tenant>,
) -> Result<StatusCode, ApiError> {
    let topics = topics(&state, tenant.namespace.as_deref(), &pubsub)?;
    if topics.remove(&topic, &id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found(format!(
            "topic \"{topic}\" of \"{pubsub}\" has no message \"{id}\""
        )))
    }
}

fn topics(state: &AdminState, namespace: Option<&str>, pubsub: &str) -> Result<Topics, ApiError> {
    let namespace = match namespace {
        Some(text) => text.parse()?,
        None => state.namespace.clone(),
    };
    Ok(state.blocks.topics(&namespace, pubsub))
}

fn summary(message: &StoredMessage) -> MessageReport {
    MessageReport {
        id: message.id.clone(),
        published_at: rfc3339(message.published_at),
        content_type: message.content_type.clone(),
        metadata: message.metadata.iter().cloned().collect(),
        size: message.data.len(),
        data: None,
        data_base64: None,
    }
}

fn rfc3339(moment: SystemTime) -> String {
    let moment = time::OffsetDateTime::from(moment);
    let form = &time::format_description::well_known::Rfc3339;
    moment.format(form).unwrap_or_default()
}
