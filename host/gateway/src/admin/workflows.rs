//! `/workflows`: instances can be started, listed, read with their history, and changed.

use super::{
    AdminState,
    error::ApiError,
    invoke::find_app,
    reports::{WorkflowEventReport, WorkflowPageReport, WorkflowReport, WorkflowStartReport},
};
use axum::{
    Json,
    extract::{Path, Query, State},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use berth_blocks::{
    Caller, Workflows,
    invocation::Target,
    workflow::{
        Conflict, HistoryEvent, InstanceKey, InstanceQuery, InstanceRow, InstanceView, Payload,
        RerunOptions, Reuse, StartOptions, Status, WorkflowError,
    },
};
use berth_resources::AppId;
use berth_telemetry::trace::Origin;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Instances of one page, when the caller does not say.
const PAGE_DEFAULT: usize = 100;
/// Instances of one page.
const PAGE_MAX: usize = 1_000;
/// Events of one page.
const EVENTS_MAX: usize = 1_000;
/// A call that takes longer is given up; `wait` may take as long as it says.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Which instances.
#[derive(Deserialize)]
pub(super) struct Listing {
    namespace: Option<String>,
    app: Option<String>,
    workflow: Option<String>,
    status: Option<String>,
    prefix: Option<String>,
    limit: Option<usize>,
    token: Option<String>,
}

/// Whose instance.
#[derive(Deserialize)]
pub(super) struct Tenant {
    namespace: Option<String>,
}

pub(super) async fn list(
    State(state): State<Arc<AdminState>>,
    Query(listing): Query<Listing>,
) -> Result<Json<WorkflowPageReport>, ApiError> {
    let namespace = listing.namespace.as_deref();
    // Nobody's scopes hold for people who run the host; any name will do.
    let asking = listing.app.as_deref().unwrap_or("berth");
    let workflows = workflows(&state, namespace, asking)?;
    let app: Option<AppId> = listing.app.as_deref().map(str::parse).transpose()?;
    let statuses = listing.status.as_deref().map(statuses).transpose()?;
    let limit = listing.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let page = workflows
        .list(InstanceQuery {
            app,
            workflow: listing.workflow,
            statuses: statuses.unwrap_or_default(),
            id_prefix: listing.prefix.unwrap_or_default(),
            token: listing.token,
            ..InstanceQuery::all(state.namespace.clone(), limit)
        })
        .await?;
    Ok(Json(WorkflowPageReport {
        instances: page.rows.into_iter().map(row).collect(),
        next: page.next,
    }))
}

/// How an instance is started.
#[derive(Deserialize)]
pub(super) struct Starting {
    namespace: Option<String>,
    id: Option<String>,
    /// An instance that exists is the answer.
    #[serde(default)]
    idempotent: bool,
}

pub(super) async fn start(
    State(state): State<Arc<AdminState>>,
    Path((app, workflow)): Path<(String, String)>,
    Query(starting): Query<Starting>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<WorkflowStartReport>, ApiError> {
    let workflows = workflows(&state, starting.namespace.as_deref(), &app)?;
    if starting.namespace.is_none() {
        find_app(&state, &app)?;
    }
    let id = starting
        .id
        .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let key = workflows.key(None, &id)?;
    let options = if starting.idempotent {
        StartOptions {
            reuse: Reuse::Never,
            conflict: Conflict::UseExisting,
            ..StartOptions::default()
        }
    } else {
        StartOptions::default()
    };
    let started = workflows
        .start(&key, &workflow, payload(&headers, body), options)
        .await?;
    Ok(Json(WorkflowStartReport {
        instance_id: started.row.key.id.to_string(),
        existed: started.existed,
    }))
}

/// Which instance, and until when.
#[derive(Deserialize)]
pub(super) struct Looking {
    namespace: Option<String>,
    /// Milliseconds to wait for its end.
    wait: Option<u64>,
}

pub(super) async fn show(
    State(state): State<Arc<AdminState>>,
    Path((app, id)): Path<(String, String)>,
    Query(looking): Query<Looking>,
) -> Result<Json<WorkflowReport>, ApiError> {
    let patience = looking.wait.map(Duration::from_millis);
    let namespace = looking.namespace.as_deref();
    let workflows = patient(&state, namespace, &app, patience.unwrap_or_default())?;
    let key = workflows.key(None, &id)?;
    let found = match patience {
        Some(patience) => Some(workflows.wait(&key, Some(patience)).await?),
        None => workflows.get(&key).await?,
    };
    let found = found.ok_or_else(|| absent(&key))?;
    let first = workflows.history(&key, 0, 1).await?;
    let mut report = whole(found);
    report.input = first
        .into_iter()
        .next()
        .and_then(|event| event.payload)
        .map(|payload| shown(&payload));
    Ok(Json(report))
}

/// Which part of a history.
#[derive(Deserialize)]
pub(super) struct Events {
    namespace: Option<String>,
    from: Option<u64>,
}

pub(super) async fn history(
    State(state): State<Arc<AdminState>>,
    Path((app, id)): Path<(String, String)>,
    Query(events): Query<Events>,
) -> Result<Json<Vec<WorkflowEventReport>>, ApiError> {
    let workflows = workflows(&state, events.namespace.as_deref(), &app)?;
    let key = workflows.key(None, &id)?;
    let from = events.from.unwrap_or(0);
    let page = workflows.history(&key, from, EVENTS_MAX).await?;
    Ok(Json((from..).zip(page).map(event).collect()))
}

/// Why, for people.
#[derive(Deserialize)]
pub(super) struct Reason {
    namespace: Option<String>,
    reason: Option<String>,
}

pub(super) async fn change(
    State(state): State<Arc<AdminState>>,
    Path((app, id, change)): Path<(String, String, String)>,
    Query(reason): Query<Reason>,
) -> Result<StatusCode, ApiError> {
    let workflows = workflows(&state, reason.namespace.as_deref(), &app)?;
    let key = workflows.key(None, &id)?;
    let reason = reason.reason.as_deref().unwrap_or("asked for by hand");
    match change.as_str() {
        "suspend" => workflows.suspend(&key, reason).await?,
        "resume" => workflows.resume(&key, reason).await?,
        "cancel" => workflows.cancel(&key, reason).await?,
        "terminate" => workflows.terminate(&key, reason, true).await?,
        _ => return Err(super::error::no_route().await),
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn raise(
    State(state): State<Arc<AdminState>>,
    Path((app, id, event)): Path<(String, String, String)>,
    Query(tenant): Query<Tenant>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let workflows = workflows(&state, tenant.namespace.as_deref(), &app)?;
    let key = workflows.key(None, &id)?;
    let data = payload(&headers, body);
    workflows.raise_event(&key, &event, data, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What else goes.
#[derive(Deserialize)]
pub(super) struct Purging {
    namespace: Option<String>,
    #[serde(default)]
    force: bool,
}

pub(super) async fn purge(
    State(state): State<Arc<AdminState>>,
    Path((app, id)): Path<(String, String)>,
    Query(purging): Query<Purging>,
) -> Result<StatusCode, ApiError> {
    let workflows = workflows(&state, purging.namespace.as_deref(), &app)?;
    let key = workflows.key(None, &id)?;
    if workflows.purge(&key, purging.force, true).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(absent(&key))
}

/// How an instance is run again.
#[derive(Deserialize)]
pub(super) struct Rerunning {
    namespace: Option<String>,
    id: Option<String>,
}

pub(super) async fn rerun(
    State(state): State<Arc<AdminState>>,
    Path((app, id, from)): Path<(String, String, u64)>,
    Query(rerunning): Query<Rerunning>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<WorkflowStartReport>, ApiError> {
    let workflows = workflows(&state, rerunning.namespace.as_deref(), &app)?;
    let key = workflows.key(None, &id)?;
    let new_id = rerunning
        .id
        .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let options = RerunOptions {
        input: (!body.is_empty()).then(|| payload(&headers, body)),
        ..RerunOptions::default()
    };
    let started = workflows.rerun(&key, from, &new_id, options).await?;
    Ok(Json(WorkflowStartReport {
        instance_id: started.row.key.id.to_string(),
        existed: started.existed,
    }))
}

fn workflows(
    state: &AdminState,
    namespace: Option<&str>,
    app: &str,
) -> Result<Workflows, ApiError> {
    patient(state, namespace, app, Duration::ZERO)
}

/// In the name of the app itself, as far as it has workflows; a call may take so much longer than usual.
fn patient(
    state: &AdminState,
    namespace: Option<&str>,
    app: &str,
    patience: Duration,
) -> Result<Workflows, ApiError> {
    let (app, within) = app
        .split_once('.')
        .map_or((app, namespace), |(app, namespace)| (app, Some(namespace)));
    let target = Target {
        namespace: match within {
            Some(text) => text.parse()?,
            None => state.namespace.clone(),
        },
        app: app.parse()?,
    };
    let tracer = state
        .blocks
        .tracing()
        .tracer(&target.namespace, &target.app);
    let caller = Caller {
        trace: tracer.join(Origin::default()),
        namespace: target.namespace,
        app: target.app,
        deadline: Instant::now() + CALL_TIMEOUT + patience,
    };
    Ok(state.blocks.workflows(&Arc::new(caller)))
}

fn absent(key: &InstanceKey) -> ApiError {
    ApiError::not_found(format!("there is no {key}"))
}

fn statuses(text: &str) -> Result<Vec<Status>, ApiError> {
    let words = text.split(',').map(str::trim);
    let parsed = words.map(|word| {
        Status::named(&word.to_ascii_uppercase()).ok_or_else(|| {
            let all = Status::ALL.map(|status| status.name().to_ascii_lowercase());
            ApiError::invalid(format!(
                "no status `{word}`: expected one of {}",
                all.join(", ")
            ))
        })
    });
    parsed.collect()
}

fn payload(headers: &HeaderMap, data: Bytes) -> Payload {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    Payload {
        data,
        content_type: content_type.map(str::to_owned),
    }
}

/// JSON as it is, other text as text, and bytes in Base64.
fn shown(payload: &Payload) -> serde_json::Value {
    if let Ok(value) = serde_json::from_slice(&payload.data) {
        return value;
    }
    match std::str::from_utf8(&payload.data) {
        Ok(text) => text.into(),
        Err(_) => serde_json::json!({ "base64": STANDARD.encode(&payload.data) }),
    }
}

fn whole(view: InstanceView) -> WorkflowReport {
    let mut report = row(view.row);
    match view.outcome {
        Some(Ok(output)) => report.output = Some(shown(&output)),
        Some(Err(failure)) => report.failure = Some(failure.to_string()),
        None => {}
    }
    report
}

fn row(row: InstanceRow) -> WorkflowReport {
    let (waiting_on, waiting_since) = match row.state.waiting {
        Some(waiting) => (Some(waiting.on), Some(waiting.since.to_string())),
        None => (None, None),
    };
    WorkflowReport {
        instance_id: row.key.id.to_string(),
        app_id: row.key.app.to_string(),
        workflow: row.workflow,
        status: row.state.status.name().to_ascii_lowercase(),
        custom_status: row.state.custom_status,
        waiting_on,
        waiting_since,
        problem: row.state.problem,
        input: None,
        output: None,
        failure: None,
        events: row.events,
        created_at: row.created_at.to_string(),
        updated_at: row.updated_at.to_string(),
    }
}

fn event((number, event): (u64, HistoryEvent)) -> WorkflowEventReport {
    WorkflowEventReport {
        number,
        at: event.at.to_string(),
        kind: event.kind,
        fields: event.fields,
        payload: event.payload.as_ref().map(shown),
    }
}

impl From<WorkflowError> for ApiError {
    fn from(error: WorkflowError) -> Self {
        use WorkflowError as E;
        let (status, code) = match &error {
            E::NotFound(_) => (StatusCode::NOT_FOUND, "ERR_NOT_FOUND"),
            E::Exists(_) => (StatusCode::CONFLICT, "ERR_EXISTS"),
            E::Denied(_) => (StatusCode::FORBIDDEN, "ERR_DENIED"),
            E::Invalid(_) => (StatusCode::BAD_REQUEST, "ERR_INVALID"),
            E::NotAllowed(_) => (StatusCode::CONFLICT, "ERR_NOT_ALLOWED"),
            E::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "ERR_TOO_LARGE"),
            E::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "ERR_UNAVAILABLE"),
            E::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "ERR_TIMEOUT"),
        };
        Self::new(status, code, error.to_string())
    }
}
