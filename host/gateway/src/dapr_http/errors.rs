//! Dapr's errors: one table of what they are called, one `match` per block from its error to a row.
//!
//! The rich ones (state, publish) carry `details` in the form of google.rpc: why (`ErrorInfo`), of what
//! (`ResourceInfo`), and what to do.

mod publish;
mod state;
mod workflow;

pub(super) use publish::{
    PublishCall, bulk_payload, bulk_unreadable, failed_entries, publish, publish_unread,
    pubsub_empty, topic_empty,
};
pub(super) use state::{
    StateCall, StateOperation, no_queries, no_transactions, state, state_saves, unknown_operation,
};

pub(super) use workflow::{
    instance_id_invalid, instance_id_too_long, no_instance, workflow_change, workflow_get,
    workflow_raise, workflow_start,
};

use super::reply;
use berth_blocks::{
    invocation::{Body, InvokeError},
    secrets::SecretError,
};
use http::{Response, StatusCode};
use serde::Serialize;
use std::collections::BTreeMap;

/// What an error is called.
struct Row {
    status: StatusCode,
    /// `errorCode`
    code: &'static str,
    /// `reason` of the `ErrorInfo`; absent: the error has no details.
    reason: Option<&'static str>,
}

macro_rules! rows {
    ($($name:ident $status:ident $code:literal $($reason:literal)?;)*) => {
        $(const $name: Row = Row {
            status: StatusCode::$status,
            code: $code,
            reason: rows!(@ $($reason)?),
        };)*
    };
    (@) => { None };
    (@ $reason:literal) => { Some($reason) };
}

rows! {
    STATE_NOT_CONFIGURED     INTERNAL_SERVER_ERROR "ERR_STATE_STORE_NOT_CONFIGURED"       "DAPR_STATE_NOT_CONFIGURED";
    STATE_NOT_FOUND          BAD_REQUEST           "ERR_STATE_STORE_NOT_FOUND"            "DAPR_STATE_NOT_FOUND";
    STATE_ILLEGAL_KEY        BAD_REQUEST           "ERR_MALFORMED_REQUEST"                "DAPR_STATE_ILLEGAL_KEY";
    STATE_NO_TRANSACTIONS    INTERNAL_SERVER_ERROR "ERR_STATE_STORE_NOT_SUPPORTED"        "DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED";
    STATE_TOO_MANY           BAD_REQUEST           "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS" "DAPR_STATE_TOO_MANY_TRANSACTIONS";
    STATE_NO_QUERIES         INTERNAL_SERVER_ERROR "ERR_STATE_STORE_NOT_SUPPORTED"        "DAPR_STATE_QUERYING_NOT_SUPPORTED";
    STATE_OPERATION          BAD_REQUEST           "ERR_NOT_SUPPORTED_STATE_OPERATION";

    PUBSUB_NOT_CONFIGURED    BAD_REQUEST           "ERR_PUBSUB_NOT_CONFIGURED"            "DAPR_PUBSUB_NOT_CONFIGURED";
    PUBSUB_NOT_FOUND         NOT_FOUND             "ERR_PUBSUB_NOT_FOUND"                 "DAPR_PUBSUB_NOT_FOUND";
    PUBSUB_EMPTY             NOT_FOUND             "ERR_PUBSUB_EMPTY"                     "DAPR_PUBSUB_NAME_EMPTY";
    PUBSUB_TOPIC_EMPTY       NOT_FOUND             "ERR_TOPIC_NAME_EMPTY"                 "DAPR_PUBSUB_TOPIC_NAME_EMPTY";
    PUBSUB_FORBIDDEN         FORBIDDEN             "ERR_PUBSUB_FORBIDDEN"                 "DAPR_PUBSUB_FORBIDDEN";
    PUBSUB_METADATA          BAD_REQUEST           "ERR_PUBSUB_REQUEST_METADATA"          "DAPR_PUBSUB_METADATA_DESERIALIZATION";
    PUBSUB_EVENT             INTERNAL_SERVER_ERROR "ERR_PUBSUB_CLOUD_EVENTS_SER"          "DAPR_PUBSUB_CLOUD_EVENT_CREATION";
    PUBSUB_BULK_UNREADABLE   BAD_REQUEST           "ERR_PUBSUB_EVENTS_SER"                "DAPR_PUBSUB_UNMARSHAL_EVENTS";
    PUBSUB_BULK_PAYLOAD      BAD_REQUEST           "ERR_PUBSUB_EVENTS_SER"                "DAPR_PUBSUB_MARSHAL_ENVELOPE";
    PUBSUB_BULK_ENTRY        BAD_REQUEST           "ERR_PUBSUB_EVENTS_SER"                "DAPR_PUBSUB_MARSHAL_EVENTS";
    PUBSUB_PUBLISH           INTERNAL_SERVER_ERROR "ERR_PUBSUB_PUBLISH_MESSAGE"           "DAPR_PUBSUB_PUBLISH_MESSAGE";
    PUBSUB_PUBLISH_INVALID   BAD_REQUEST           "ERR_PUBSUB_PUBLISH_MESSAGE"           "DAPR_PUBSUB_PUBLISH_MESSAGE";
    PUBSUB_PUBLISH_TOO_LARGE PAYLOAD_TOO_LARGE     "ERR_PUBSUB_PUBLISH_MESSAGE"           "DAPR_PUBSUB_PUBLISH_MESSAGE";

    SECRET_NOT_CONFIGURED    INTERNAL_SERVER_ERROR "ERR_SECRET_STORES_NOT_CONFIGURED";
    SECRET_NOT_FOUND         UNAUTHORIZED          "ERR_SECRET_STORE_NOT_FOUND";
    SECRET_DENIED            FORBIDDEN             "ERR_PERMISSION_DENIED";
    SECRET_GET               INTERNAL_SERVER_ERROR "ERR_SECRET_GET";

    INVOKE_NO_APP            NOT_FOUND             "ERR_DIRECT_INVOKE";
    INVOKE_DENIED            FORBIDDEN             "ERR_DIRECT_INVOKE";
    INVOKE_FAILED            INTERNAL_SERVER_ERROR "ERR_DIRECT_INVOKE";

    NOT_READY                INTERNAL_SERVER_ERROR "ERR_HEALTH_NOT_READY";
    OUTBOUND_NOT_READY       INTERNAL_SERVER_ERROR "ERR_OUTBOUND_HEALTH_NOT_READY";
    ANOTHER_APP              INTERNAL_SERVER_ERROR "ERR_HEALTH_APPID_NOT_MATCH";
    MALFORMED                BAD_REQUEST           "ERR_MALFORMED_REQUEST";
    BODY_READ                BAD_REQUEST           "ERR_BODY_READ";
}

/// An error as Dapr tells it.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    report: Box<Report>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    error_code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail>,
}

/// Messages of google.rpc, with the names of their fields as protobuf writes them.
#[derive(Debug, Serialize)]
#[serde(tag = "@type")]
enum Detail {
    #[serde(rename = "type.googleapis.com/google.rpc.ErrorInfo")]
    ErrorInfo {
        reason: &'static str,
        domain: &'static str,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        metadata: BTreeMap<String, String>,
    },
    #[serde(rename = "type.googleapis.com/google.rpc.ResourceInfo")]
    ResourceInfo {
        resource_type: &'static str,
        resource_name: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        description: String,
    },
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest")]
    BadRequest { field_violations: [Violation; 1] },
    #[serde(rename = "type.googleapis.com/google.rpc.Help")]
    Help { links: [Link; 1] },
}

#[derive(Debug, Serialize)]
struct Violation {
    field: String,
    description: String,
}

#[derive(Debug, Serialize)]
struct Link {
    description: &'static str,
    url: &'static str,
}

impl ApiError {
    fn new(row: &Row, message: String) -> Self {
        let info = row.reason.map(|reason| Detail::ErrorInfo {
            reason,
            domain: "dapr.io",
            metadata: BTreeMap::new(),
        });
        let report = Report {
            error_code: row.code,
            message,
            details: info.into_iter().collect(),
        };
        Self {
            status: row.status,
            report: Box::new(report),
        }
    }

    /// Adds to the metadata of the `ErrorInfo`.
    fn info<'m>(mut self, more: impl IntoIterator<Item = (&'m str, &'m str)>) -> Self {
        if let Some(Detail::ErrorInfo { metadata, .. }) = self.report.details.first_mut() {
            let more = more.into_iter();
            metadata.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        self
    }

    fn detail(mut self, detail: Detail) -> Self {
        self.report.details.push(detail);
        self
    }

    fn of_state(self, store: &str) -> Self {
        self.detail(Detail::ResourceInfo {
            resource_type: "state",
            resource_name: store.to_owned(),
            description: String::new(),
        })
    }

    fn of_pubsub(self, pubsub: &str) -> Self {
        let description = self.report.message.clone();
        self.detail(Detail::ResourceInfo {
            resource_type: "pubsub",
            resource_name: pubsub.to_owned(),
            description,
        })
    }

    pub fn into_response(self) -> Response<Body> {
        reply::json_with(self.status, &self.report)
    }
}

/// A body that is not what was expected, in the words of state's `save`.
pub(super) fn malformed(why: String) -> ApiError {
    ApiError::new(&MALFORMED, why)
}

/// A body that is not what was expected.
pub(super) fn malformed_body(why: &str) -> ApiError {
    malformed(format!("failed deserializing HTTP body: {why}"))
}

/// A part of the path that cannot be decoded.
pub(super) fn malformed_path(part: &str) -> ApiError {
    malformed(format!("invalid URL escape in \"{part}\""))
}

/// A body that cannot be kept.
pub(super) fn body_read(why: &str) -> ApiError {
    ApiError::new(&BODY_READ, format!("failed to read request body: {why}"))
}

/// Why there is no secret store to ask.
pub(super) fn secret_store(error: SecretError, store: &str) -> ApiError {
    match error {
        SecretError::NotConfigured(_) => ApiError::new(
            &SECRET_NOT_CONFIGURED,
            "secret store is not configured".to_owned(),
        ),
        SecretError::NotFound(_) => ApiError::new(
            &SECRET_NOT_FOUND,
            format!("failed finding secret store with key {store}"),
        ),
        error => secrets(error, store),
    }
}

/// Why a secret was not given; a secret that is not there is a failure of the store, as in Dapr.
pub(super) fn secret(error: SecretError, store: &str, name: &str) -> ApiError {
    match error {
        SecretError::Denied(_) => ApiError::new(
            &SECRET_DENIED,
            format!("access denied by policy to get \"{name}\" from \"{store}\""),
        ),
        error => ApiError::new(
            &SECRET_GET,
            format!("failed getting secret with key {name} from secret store {store}: {error}"),
        ),
    }
}

/// Why the secrets of a store were not given.
pub(super) fn secrets(error: SecretError, store: &str) -> ApiError {
    let message = format!("failed getting secrets from secret store {store}: {error}");
    ApiError::new(&SECRET_GET, message)
}

/// Why an app was not reached. What the app itself answers is no error.
pub(super) fn invoke(error: &InvokeError, app: &str) -> ApiError {
    use InvokeError as E;
    let row = match error {
        E::Denied(_) => &INVOKE_DENIED,
        E::NotFound(_)
        | E::Invalid(_)
        | E::Undelivered(_)
        | E::Unavailable(_)
        | E::Timeout(_)
        | E::TooLarge(_)
        | E::Other(_) => &INVOKE_FAILED,
    };
    ApiError::new(row, format!("failed to invoke, id: {app}, err: {error}"))
}

/// Neither a route of the API nor a call to an app.
pub(super) fn no_app() -> ApiError {
    let message = "failed getting app id either from the URL path or the header dapr-app-id";
    ApiError::new(&INVOKE_NO_APP, message.to_owned())
}

/// The host stops.
pub(super) fn not_ready() -> ApiError {
    ApiError::new(&NOT_READY, "dapr is not ready: [stopping]".to_owned())
}

/// The host stops.
pub(super) fn outbound_not_ready() -> ApiError {
    ApiError::new(&OUTBOUND_NOT_READY, "dapr outbound is not ready".to_owned())
}

/// `?appid=` names another app than the caller of the door.
pub(super) fn another_app() -> ApiError {
    ApiError::new(&ANOTHER_APP, "dapr app-id does not match".to_owned())
}
