//! A saga: reserves, waits at most thirty days for approval, pays; undoes the reservation when it cannot go on.

use crate::{
    Planted,
    bindings::{
        berth::workflow::{
            context::{self, ActivityOptions, Error, EventOptions, RetryPolicy},
            types::{Failure, Payload},
        },
        exports::berth::workflow::{
            activities::{self, Task},
            registry, workflows,
        },
    },
    has_bug, store, till,
};

const THIRTY_DAYS_MS: u64 = 30 * 24 * 3600 * 1000;

impl registry::Guest for Planted {
    fn workflows() -> Vec<String> {
        vec!["saga".to_owned()]
    }

    fn activities() -> Vec<String> {
        ["reserve", "release", "pay"].map(str::to_owned).to_vec()
    }
}

impl workflows::Guest for Planted {
    fn run(_: String, input: Payload) -> Result<Payload, Failure> {
        let done = steps(&input);
        if done.is_err() && !has_bug("missing-compensation") {
            call("release", &input).map_err(failure)?;
        }
        done.map(|()| payload("\"paid\"")).map_err(failure)
    }
}

fn steps(input: &Payload) -> Result<(), Error> {
    call("reserve", input)?;
    let timeout_ms = (!has_bug("no-timeout")).then_some(THIRTY_DAYS_MS);
    let options = EventOptions {
        timeout_ms,
        metadata: Vec::new(),
    };
    context::wait_event("approved", &options)?;
    call("pay", input)
}

fn call(activity: &str, input: &Payload) -> Result<(), Error> {
    let retry = RetryPolicy {
        max_attempts: 3,
        first_interval_ms: 1_000,
        backoff: 2.0,
        max_interval_ms: None,
        total_timeout_ms: None,
        non_retryable: Vec::new(),
    };
    let options = ActivityOptions {
        retry: Some(retry),
        start_to_close_ms: None,
        app_id: None,
        dispatch: None,
        record_intent: false,
        metadata: Vec::new(),
    };
    context::call_activity(activity, input, &options).map(drop)
}

impl activities::Guest for Planted {
    fn run(task: Task, name: String, input: Payload) -> Result<Payload, Failure> {
        let key = format!("{name}-{}", task.idempotency_key);
        let reserved = |amount| {
            if has_bug("repeated-activity") {
                store::add("reserved", amount)
            } else {
                store::add_once("reserved", amount, &key)
            }
        };
        let done = match name.as_str() {
            "reserve" => reserved(1),
            "release" => reserved(-1),
            _ => return pay(&task, &input),
        };
        done.map(|()| payload("null")).map_err(|error| Failure {
            kind: "store".to_owned(),
            message: format!("{error:?}"),
            non_retryable: false,
        })
    }
}

fn pay(task: &Task, input: &Payload) -> Result<Payload, Failure> {
    match till::pay(&task.idempotency_key, &input.data) {
        200 => Ok(payload("null")),
        status => Err(Failure {
            kind: "payment".to_owned(),
            message: format!("status {status}"),
            non_retryable: status < 500,
        }),
    }
}

fn payload(json: &str) -> Payload {
    Payload {
        data: json.as_bytes().to_vec(),
        content_type: Some("application/json".to_owned()),
    }
}

fn failure(error: Error) -> Failure {
    let told = |kind: &str, message: String| Failure {
        kind: kind.to_owned(),
        message,
        non_retryable: true,
    };
    match error {
        Error::Failed(failure) => failure,
        Error::Timeout(text) => told("not-approved", text),
        Error::Canceled(text) => told("canceled", text),
        Error::Invalid(text) | Error::TooLarge(text) | Error::Other(text) => told("other", text),
    }
}
