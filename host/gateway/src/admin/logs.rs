//! `GET /logs/level`, `PUT /logs/level[?app=<app>]`: what is logged, for the host or for one app.

use super::{
    AdminState,
    error::ApiError,
    invoke::find_app,
    reports::{AppLogLevel, LogLevelChange, LogLevelReport},
};
use axum::{
    Json,
    extract::{Query, State},
};
use berth_telemetry::{LogLevel, LogLevels};
use serde::Deserialize;
use std::sync::Arc;

/// Whose level is meant; without an app, the host's.
#[derive(Deserialize)]
pub(super) struct Whose {
    app: Option<String>,
    namespace: Option<String>,
}

pub(super) async fn show() -> Result<Json<LogLevelReport>, ApiError> {
    Ok(report(&levels()?))
}

pub(super) async fn set(
    State(state): State<Arc<AdminState>>,
    Query(whose): Query<Whose>,
    Json(change): Json<LogLevelChange>,
) -> Result<Json<LogLevelReport>, ApiError> {
    let levels = levels()?;
    let level = change.level.as_deref().map(str::parse::<LogLevel>);
    let level = level.transpose().map_err(ApiError::invalid)?;
    match (whose.app, level) {
        (None, Some(level)) => levels.set(level),
        (None, None) => {
            return Err(ApiError::invalid(
                "expected `level`: debug, info, warn or error",
            ));
        }
        (Some(app), level) => {
            let app = match whose.namespace {
                Some(namespace) => format!("{app}.{namespace}"),
                None => app,
            };
            // Only apps that run: the list of levels stays as short as theirs.
            let target = find_app(&state, &app)?;
            levels.set_app(target.namespace.as_str(), target.app.as_str(), level);
        }
    }
    Ok(report(&levels))
}

fn levels() -> Result<LogLevels, ApiError> {
    LogLevels::current().ok_or_else(|| ApiError::not_found("this process does not log"))
}

fn report(levels: &LogLevels) -> Json<LogLevelReport> {
    let apps = levels.apps().into_iter();
    Json(LogLevelReport {
        level: levels.level().as_str().to_owned(),
        apps: apps
            .map(|(namespace, app_id, level)| AppLogLevel {
                namespace,
                app_id,
                level: level.as_str().to_owned(),
            })
            .collect(),
    })
}
