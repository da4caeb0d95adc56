//! From an error of a store to its row.

use super::{
    ApiError, Detail, Link, Row, STATE_ILLEGAL_KEY, STATE_NO_QUERIES, STATE_NO_TRANSACTIONS,
    STATE_NOT_CONFIGURED, STATE_NOT_FOUND, STATE_OPERATION, STATE_TOO_MANY, Violation,
};
use berth_blocks::state::StateError;
use http::StatusCode;

/// What was asked of a store.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct StateCall<'c> {
    pub app: &'c str,
    pub store: &'c str,
    pub operation: StateOperation<'c>,
}

/// What to do, and with which key where it is one.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum StateOperation<'c> {
    Get(&'c str),
    Save,
    Delete(&'c str),
    BulkGet,
    Transact,
}

impl StateCall<'_> {
    fn code(&self) -> &'static str {
        match self.operation {
            StateOperation::Get(_) => "ERR_STATE_GET",
            StateOperation::Save => "ERR_STATE_SAVE",
            StateOperation::Delete(_) => "ERR_STATE_DELETE",
            StateOperation::BulkGet => "ERR_STATE_BULK_GET",
            StateOperation::Transact => "ERR_STATE_TRANSACTION",
        }
    }

    fn message(&self, why: &str) -> String {
        let store = self.store;
        match self.operation {
            StateOperation::Get(key) => {
                format!("fail to get {key} from state store {store}: {why}")
            }
            StateOperation::Save => format!("failed saving state in state store {store}: {why}"),
            StateOperation::Delete(key) => format!("failed deleting state with key {key}: {why}"),
            StateOperation::BulkGet => why.to_owned(),
            StateOperation::Transact => {
                format!("error while executing state transaction: {why}")
            }
        }
    }

    fn failed(&self, status: StatusCode, why: &str) -> ApiError {
        let row = Row {
            status,
            code: self.code(),
            reason: None,
        };
        ApiError::new(&row, self.message(why))
    }

    /// In a transaction Dapr does not tell etags from other failures.
    fn etag(&self, status: StatusCode) -> StatusCode {
        match self.operation {
            StateOperation::Transact => StatusCode::INTERNAL_SERVER_ERROR,
            _ => status,
        }
    }
}

/// Why a call to a store failed.
pub(in super::super) fn state(error: &StateError, call: StateCall<'_>) -> ApiError {
    use StateError as E;
    let (app, store) = (call.app, call.store);
    let failed = |status| call.failed(status, &error.to_string());
    match error {
        E::NotConfigured(_) => ApiError::new(
            &STATE_NOT_CONFIGURED,
            format!("state store {store} is not configured"),
        )
        .info([("appID", app)]),
        E::NotFound(_) => ApiError::new(
            &STATE_NOT_FOUND,
            format!("state store {store} is not found"),
        )
        .info([("appID", app)]),
        E::IllegalKey(key) => illegal_key(key, store),
        E::TooManyOperations { count, max } => too_many_operations(*count, *max, store),
        E::Conflict(_) => failed(call.etag(StatusCode::CONFLICT)),
        E::InvalidEtag(_) => failed(call.etag(StatusCode::BAD_REQUEST)),
        E::Denied(_) => failed(StatusCode::FORBIDDEN),
        E::Invalid(_) => failed(StatusCode::BAD_REQUEST),
        E::TooLarge(_) => failed(StatusCode::PAYLOAD_TOO_LARGE),
        E::Unsupported(_) | E::Unavailable(_) | E::Timeout(_) | E::Other(_) => {
            failed(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// Why some of many writes failed. Only when all of these met an etag is the whole a matter of etags.
pub(in super::super) fn state_saves(
    failed: &[(String, StateError)],
    call: StateCall<'_>,
) -> ApiError {
    let all = |wanted: fn(&StateError) -> bool| failed.iter().all(|(_, error)| wanted(error));
    let status = if all(|error| matches!(error, StateError::Conflict(_))) {
        StatusCode::CONFLICT
    } else if all(|error| {
        use StateError as E;
        matches!(error, E::Conflict(_) | E::InvalidEtag(_) | E::Invalid(_))
    }) {
        StatusCode::BAD_REQUEST
    } else if all(|error| matches!(error, StateError::TooLarge(_))) {
        StatusCode::PAYLOAD_TOO_LARGE
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let reasons = failed.iter();
    let reasons: Vec<_> = reasons
        .map(|(key, error)| format!("key {key}: {error}"))
        .collect();
    call.failed(status, &reasons.join("\n"))
}

fn illegal_key(key: &str, store: &str) -> ApiError {
    let message = format!("input key/keyPrefix '{key}' can't contain '||'");
    ApiError::new(&STATE_ILLEGAL_KEY, message.clone())
        .of_state(store)
        .detail(Detail::BadRequest {
            field_violations: [Violation {
                field: key.to_owned(),
                description: message,
            }],
        })
}

fn too_many_operations(count: usize, max: usize, store: &str) -> ApiError {
    let message = format!(
        "the transaction contains {count} operations, which is more than what the state store supports: {max}"
    );
    ApiError::new(&STATE_TOO_MANY, message)
        .info([
            ("currentOpsTransaction", &*count.to_string()),
            ("maxOpsPerTransaction", &*max.to_string()),
        ])
        .of_state(store)
}

/// The store has no transactions.
pub(in super::super) fn no_transactions(store: &str) -> ApiError {
    let message = format!("state store {store} doesn't support transactions");
    ApiError::new(&STATE_NO_TRANSACTIONS, message)
        .of_state(store)
        .detail(Detail::Help {
            links: [Link {
                description: "Check the list of state stores and the features they support",
                url: "https://docs.dapr.io/reference/components-reference/supported-state-stores/",
            }],
        })
}

/// No store has queries.
pub(in super::super) fn no_queries(store: &str) -> ApiError {
    let message = "state store does not support querying".to_owned();
    ApiError::new(&STATE_NO_QUERIES, message).of_state(store)
}

/// A step of a transaction that is neither `upsert` nor `delete`.
pub(in super::super) fn unknown_operation(operation: &str) -> ApiError {
    let message = format!("operation type {operation} not supported");
    ApiError::new(&STATE_OPERATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(error: &StateError, operation: StateOperation<'_>) -> String {
        let call = StateCall {
            app: "till",
            store: "s",
            operation,
        };
        let error = state(error, call);
        format!("{} {}", error.status.as_u16(), error.report.error_code)
    }

    #[test]
    fn an_etag_of_another_form_is_told_from_a_stale_one_but_not_in_transactions() {
        use StateOperation as O;
        let (stale, odd) = (
            StateError::Conflict("x".into()),
            StateError::InvalidEtag("x".into()),
        );
        for (operation, of_stale, of_odd) in [
            (O::Save, "409 ERR_STATE_SAVE", "400 ERR_STATE_SAVE"),
            (
                O::Delete("k"),
                "409 ERR_STATE_DELETE",
                "400 ERR_STATE_DELETE",
            ),
            (
                O::Transact,
                "500 ERR_STATE_TRANSACTION",
                "500 ERR_STATE_TRANSACTION",
            ),
        ] {
            assert_eq!(row(&stale, operation), of_stale);
            assert_eq!(row(&odd, operation), of_odd);
        }
    }

    #[test]
    fn many_saves_are_a_matter_of_etags_only_if_all_are() {
        use StateError as E;
        let (stale, odd, down) = (
            || E::Conflict("stale".into()),
            || E::InvalidEtag("odd".into()),
            || E::Unavailable("down".into()),
        );
        let call = StateCall {
            app: "till",
            store: "s",
            operation: StateOperation::Save,
        };
        for (errors, expected) in [
            (vec![stale(), stale()], 409),
            (vec![stale(), odd()], 400),
            (vec![stale(), down()], 500),
            (vec![down()], 500),
        ] {
            let failed: Vec<_> = errors
                .into_iter()
                .map(|error| ("k".to_owned(), error))
                .collect();
            let error = state_saves(&failed, call);
            assert_eq!(error.status.as_u16(), expected, "{failed:?}");
            assert!(error.report.message.contains("key k: "));
        }
    }

    #[test]
    fn a_store_without_transactions_is_named_with_a_way_out() {
        let error = no_transactions("s");
        let report = serde_json::to_value(&error.report).unwrap();
        assert_eq!(
            report,
            serde_json::json!({
                "errorCode": "ERR_STATE_STORE_NOT_SUPPORTED",
                "message": "state store s doesn't support transactions",
                "details": [
                    {
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED",
                        "domain": "dapr.io",
                    },
                    {
                        "@type": "type.googleapis.com/google.rpc.ResourceInfo",
                        "resource_type": "state",
                        "resource_name": "s",
                    },
                    {
                        "@type": "type.googleapis.com/google.rpc.Help",
                        "links": [{
                            "description": "Check the list of state stores and the features they support",
                            "url": "https://docs.dapr.io/reference/components-reference/supported-state-stores/",
                        }],
                    },
                ],
            })
        );
    }
}
