//! Why a workflow call failed. Dapr's workflow errors have no details.

use super::{ApiError, Row};
use crate::dapr_http::workflow::Change;
use berth_blocks::workflow::WorkflowError;
use http::StatusCode;

const fn row(status: StatusCode, code: &'static str) -> Row {
    Row {
        status,
        code,
        reason: None,
    }
}

const NOT_FOUND: Row = row(StatusCode::NOT_FOUND, "ERR_INSTANCE_ID_NOT_FOUND");
const ID_TOO_LONG: Row = row(StatusCode::BAD_REQUEST, "ERR_INSTANCE_ID_TOO_LONG");
const ID_INVALID: Row = row(StatusCode::BAD_REQUEST, "ERR_INSTANCE_ID_INVALID");
const START: Row = row(StatusCode::INTERNAL_SERVER_ERROR, "ERR_START_WORKFLOW");
const GET: Row = row(StatusCode::INTERNAL_SERVER_ERROR, "ERR_GET_WORKFLOW");
const RAISE: Row = row(
    StatusCode::INTERNAL_SERVER_ERROR,
    "ERR_RAISE_EVENT_WORKFLOW",
);
const PAUSE: Row = row(StatusCode::INTERNAL_SERVER_ERROR, "ERR_PAUSE_WORKFLOW");
const RESUME: Row = row(StatusCode::INTERNAL_SERVER_ERROR, "ERR_RESUME_WORKFLOW");
const TERMINATE: Row = row(StatusCode::INTERNAL_SERVER_ERROR, "ERR_TERMINATE_WORKFLOW");
const PURGE: Row = row(StatusCode::INTERNAL_SERVER_ERROR, "ERR_PURGE_WORKFLOW");

/// There is no such instance.
pub(in super::super) fn no_instance(id: &str) -> ApiError {
    let message = format!("unable to find workflow with the provided instance ID: {id}");
    ApiError::new(&NOT_FOUND, message)
}

/// A client chose an ID that is too long.
pub(in super::super) fn instance_id_too_long(max: usize) -> ApiError {
    let message = format!("workflow instance ID exceeds the max length of {max} characters");
    ApiError::new(&ID_TOO_LONG, message)
}

/// A client chose an ID with other characters.
pub(in super::super) fn instance_id_invalid(id: &str) -> ApiError {
    let message = format!(
        "workflow instance ID '{id}' is invalid: only alphanumeric, dash and underscore characters are allowed"
    );
    ApiError::new(&ID_INVALID, message)
}

/// A workflow was not started.
pub(in super::super) fn workflow_start(error: WorkflowError, name: &str) -> ApiError {
    ApiError::new(&START, format!("error starting workflow '{name}': {error}"))
}

/// An instance was not looked up.
pub(in super::super) fn workflow_get(error: WorkflowError, id: &str) -> ApiError {
    match error {
        WorkflowError::NotFound(_) => no_instance(id),
        error => ApiError::new(&GET, format!("error getting workflow '{id}': {error}")),
    }
}

/// An event was not sent. As in Dapr, that there is no such instance is no exception.
pub(in super::super) fn workflow_raise(error: &WorkflowError, id: &str, event: &str) -> ApiError {
    let message = format!("error raising event '{event}' in workflow '{id}': {error}");
    ApiError::new(&RAISE, message)
}

/// An instance was not changed.
pub(in super::super) fn workflow_change(
    error: WorkflowError,
    change: Change,
    id: &str,
) -> ApiError {
    let (row, verb) = match (change, &error) {
        (Change::Terminate | Change::Purge, WorkflowError::NotFound(_)) => {
            return no_instance(id);
        }
        (Change::Terminate, _) => (&TERMINATE, "terminating"),
        (Change::Purge, _) => (&PURGE, "purging"),
        (Change::Pause, _) => (&PAUSE, "pausing"),
        (Change::Resume, _) => (&RESUME, "resuming"),
    };
    ApiError::new(row, format!("error {verb} workflow {id}: {error}"))
}
