//! `/contract`: every check, in the order of the README.

mod invocation;
mod pubsub;
mod secrets;
mod state;
mod telemetry;

use crate::http::{Request, Response};
use serde_json::json;
use std::fmt::Debug;

/// What one run of the checks is called, so that runs over one store do not meet.
pub struct Run {
    id: String,
    app_id: String,
}

impl Run {
    fn key(&self, name: &str) -> String {
        format!("{}-{name}", self.id)
    }
}

/// Nothing, or what was wrong.
type Outcome = Result<(), String>;

type Check = (&'static str, fn(&Run) -> Outcome);

pub fn answer(request: &Request) -> Response {
    let run = Run {
        id: request
            .header("x-run-id")
            .unwrap_or_else(|| "run".to_owned()),
        app_id: request
            .header("x-app-id")
            .unwrap_or_else(|| "contract".to_owned()),
    };
    let checks = [
        state::CHECKS,
        pubsub::CHECKS,
        invocation::CHECKS,
        secrets::CHECKS,
        telemetry::CHECKS,
    ];
    let results: Vec<_> = checks
        .into_iter()
        .flatten()
        .map(|(name, check)| {
            let outcome = check(&run);
            json!({ "check": name, "ok": outcome.is_ok(), "detail": outcome.err().unwrap_or_default() })
        })
        .collect();
    Response::json(200, json!(results).to_string().into_bytes())
}

/// Turns an error of a block into the detail of the check.
fn done<T, E: Debug>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| format!("refused: {error:?}"))
}

fn expect(holds: bool, detail: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(detail()) }
}

/// Checks that a call was refused with the error case that `matches` accepts.
fn refused<T: Debug, E: Debug>(result: Result<T, E>, matches: fn(&E) -> bool) -> Outcome {
    match result {
        Err(error) if matches(&error) => Ok(()),
        Err(error) => Err(format!("refused as {error:?}")),
        Ok(value) => Err(format!("not refused: {value:?}")),
    }
}
