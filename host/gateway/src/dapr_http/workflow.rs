//! `/v1.0/workflows/{component}`, also at `v1.0-beta1` and `v1.0-alpha1`. As in Dapr, the component's name is not looked
//! at: the workflow engine is that of the caller's namespace.

use super::{CALL_TIMEOUT, Call, Door, Outcome, body, errors, query::Query, reply};
use berth_blocks::{
    Workflows,
    workflow::{InstanceKey, InstanceView, Payload, StartOptions, Status},
};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap};

/// Dapr's bound of an instance ID that a client chooses.
const ID_CHARACTERS_MAX: usize = 64;

#[derive(Serialize)]
struct Started<'a> {
    #[serde(rename = "instanceID")]
    instance_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    #[serde(rename = "instanceID")]
    instance_id: &'a str,
    workflow_name: &'a str,
    created_at: String,
    last_updated_at: String,
    runtime_status: &'static str,
    properties: BTreeMap<&'static str, String>,
}

/// Answered where there is nothing to say: Dapr's empty message.
#[derive(Serialize)]
struct Empty {}

/// What is asked of an instance that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Pause,
    Resume,
    Terminate,
    Purge,
}

impl Change {
    /// The last part of a path.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "pause" => Self::Pause,
            "resume" => Self::Resume,
            "terminate" => Self::Terminate,
            "purge" => Self::Purge,
            _ => return None,
        })
    }
}

/// `POST .../{name}/start`: the body is the input, as it is.
pub(super) async fn start(
    door: &Door,
    call: Call,
    name: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let workflows = workflows(door, &call.head.headers);
    let id = match query.get("instanceID") {
        Some(id) if !id.is_empty() => {
            check_id(&id)?;
            id.into_owned()
        }
        _ => uuid::Uuid::new_v4().to_string(),
    };
    let key = key(&workflows, &query, &id)?;
    let input = payload(door, call).await?;
    let started = workflows
        .start(&key, &name, input, StartOptions::default())
        .await
        .map_err(|error| errors::workflow_start(error, &name))?;
    let answer = Started {
        instance_id: &started.row.key.id,
    };
    Ok(reply::json_with(StatusCode::ACCEPTED, &answer))
}

/// `GET .../{id}`
pub(super) async fn get(
    door: &Door,
    headers: &HeaderMap,
    id: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let workflows = workflows(door, headers);
    let key = key(&workflows, &query, &id)?;
    let failed = |error| errors::workflow_get(error, &id);
    let found = workflows.get(&key).await.map_err(failed)?;
    let found = found.ok_or_else(|| errors::no_instance(&id))?;
    // The first event of a history has the input.
    let first = workflows.history(&key, 0, 1).await.map_err(failed)?;
    let input = first.into_iter().next().and_then(|event| event.payload);
    Ok(reply::json(&Report {
        instance_id: &found.row.key.id,
        workflow_name: &found.row.workflow,
        created_at: found.row.created_at.to_string(),
        last_updated_at: found.row.updated_at.to_string(),
        runtime_status: status(found.row.state.status),
        properties: properties(&found, input),
    }))
}

/// `POST .../{id}/raiseEvent/{event}`: the body is the event's data, as it is.
pub(super) async fn raise(
    door: &Door,
    call: Call,
    id: Cow<'_, str>,
    event: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let workflows = workflows(door, &call.head.headers);
    let key = key(&workflows, &query, &id)?;
    let data = payload(door, call).await?;
    let raised = workflows.raise_event(&key, &event, data, None).await;
    raised.map_err(|error| errors::workflow_raise(&error, &id, &event))?;
    Ok(reply::json_with(StatusCode::ACCEPTED, &Empty {}))
}

/// `POST .../{id}/pause`, `/resume`, `/terminate`, `/purge`. As in Dapr the last two go for children, too.
pub(super) async fn change(
    door: &Door,
    headers: &HeaderMap,
    id: Cow<'_, str>,
    change: Change,
    query: Query<'_>,
) -> Outcome {
    let workflows = workflows(door, headers);
    let key = key(&workflows, &query, &id)?;
    let reason = "asked for over HTTP";
    let done = match change {
        Change::Pause => workflows.suspend(&key, reason).await,
        Change::Resume => workflows.resume(&key, reason).await,
        Change::Terminate => workflows.terminate(&key, reason, true).await,
        Change::Purge => match workflows.purge(&key, false, true).await {
            Ok(false) => return Err(errors::no_instance(&id)),
            other => other.map(drop),
        },
    };
    done.map_err(|error| errors::workflow_change(error, change, &id))?;
    Ok(reply::json_with(StatusCode::ACCEPTED, &Empty {}))
}

fn workflows(door: &Door, headers: &HeaderMap) -> Workflows {
    door.blocks.workflows(&door.caller(headers, CALL_TIMEOUT))
}

/// `?appID=` names another app of the namespace.
fn key(
    workflows: &Workflows,
    query: &Query<'_>,
    id: &str,
) -> Result<InstanceKey, errors::ApiError> {
    let app = query.get("appID");
    let app = app.as_deref().filter(|app| !app.is_empty());
    workflows
        .key(app, id)
        .map_err(|error| errors::workflow_get(error, id))
}

async fn payload(door: &Door, call: Call) -> Result<Payload, errors::ApiError> {
    let content_type = call.head.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let content_type = content_type.map(str::to_owned);
    let data = body::read(call, door.body_bytes_max).await;
    Ok(Payload {
        data: data.map_err(|why| errors::body_read(&why))?,
        content_type,
    })
}

fn check_id(id: &str) -> Result<(), errors::ApiError> {
    if id.chars().count() > ID_CHARACTERS_MAX {
        return Err(errors::instance_id_too_long(ID_CHARACTERS_MAX));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.chars().all(legal) {
        return Ok(());
    }
    Err(errors::instance_id_invalid(id))
}

/// Dapr has no word for a stalled instance.
fn status(status: Status) -> &'static str {
    match status {
        Status::Stalled => "UNKNOWN",
        status => status.name(),
    }
}

fn properties(found: &InstanceView, input: Option<Payload>) -> BTreeMap<&'static str, String> {
    let mut properties = BTreeMap::new();
    let text = |payload: &Payload| String::from_utf8_lossy(&payload.data).into_owned();
    if let Some(input) = &input {
        properties.insert("dapr.workflow.input", text(input));
    }
    if let Some(status) = &found.row.state.custom_status {
        properties.insert("dapr.workflow.custom_status", status.clone());
    }
    match &found.outcome {
        Some(Ok(output)) => {
            properties.insert("dapr.workflow.output", text(output));
        }
        Some(Err(failure)) => {
            properties.insert("dapr.workflow.failure.error_type", failure.kind.clone());
            let message = failure.message.clone();
            properties.insert("dapr.workflow.failure.error_message", message);
        }
        None => {}
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_clients_choose_are_those_of_dapr() {
        let longest = "x".repeat(ID_CHARACTERS_MAX);
        for id in ["a", "A-1_b", longest.as_str()] {
            assert!(check_id(id).is_ok(), "{id}");
        }
        let too_long = "x".repeat(ID_CHARACTERS_MAX + 1);
        for id in ["a b", "a.b", "a||b", "ä", too_long.as_str()] {
            assert!(check_id(id).is_err(), "{id}");
        }
    }
}
