//! The workflow `program`: an interpreter of its input.

use crate::bindings::berth::state::store as state;
use crate::bindings::berth::workflow::context::{
    self, ActivityOptions, ChildOptions, ContinueOptions, Error, EventOptions, RetryPolicy,
};
use crate::bindings::berth::workflow::types::Failure;
use crate::{failure, json, value};
use serde_json::{Value, json as object};
use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Tests change its last byte in the built guest: version 2 begins every activity with a timer.
static VERSION: [u8; 24] = *b"worker guest, version: 1";

fn is_version_2() -> bool {
    std::hint::black_box(&VERSION)[VERSION.len() - 1] == b'2'
}

/// Runs the steps; the result of each is noted.
pub fn run(steps: &Value) -> Result<Value, Failure> {
    let mut results = Vec::new();
    for step in steps.as_array().into_iter().flatten() {
        results.push(take(step)?);
    }
    Ok(Value::Array(results))
}

/// Continues as new until the number is 0.
pub fn count(left: &Value) -> Result<Value, Failure> {
    let left = left.as_u64().unwrap_or(0);
    if left == 0 {
        return Ok(object!("done"));
    }
    let options = ContinueOptions {
        keep_events: true,
        metadata: vec![],
    };
    context::continue_as_new(&json(&object!(left - 1)), &options).map_err(|error| fatal(&error))?;
    Ok(Value::Null)
}

fn take(step: &Value) -> Result<Value, Failure> {
    let (what, argument) = step
        .as_object()
        .and_then(|fields| fields.iter().next())
        .ok_or_else(|| failure("program", "a step without a name"))?;
    let text = argument.as_str().unwrap_or_default();
    let millis = argument.as_u64().unwrap_or_default();
    Ok(match what.as_str() {
        "activity" => {
            if is_version_2() {
                noted_unit(context::sleep(0));
            }
            noted(context::call_activity(
                text,
                &json(&step["input"]),
                &activity_options(step),
            ))
        }
        "parallel" => parallel(argument)?,
        "first" => first(argument)?,
        "sleep" => noted_unit(context::sleep(millis)),
        "event" => noted(context::wait_event(
            text,
            &EventOptions {
                timeout_ms: step["timeout"].as_u64(),
                metadata: vec![],
            },
        )),
        "child" => noted(context::call_child(
            text,
            &json(&step["input"]),
            &child_options(step),
        )),
        "status" => noted_unit(context::set_custom_status(text)),
        "patched" => object!(context::patched(text).unwrap_or_default()),
        "now" => object!(context::now_ms()),
        "uuid" => object!(context::uuid()),
        "random" => object!(context::random(8).unwrap_or_default()),
        "instance" => object!(context::instance_id()),
        "log" => {
            context::log(context::Level::Info, text);
            Value::Null
        }
        "print" => {
            println!("{text}");
            Value::Null
        }
        "clocks" => clocks(),
        "hash-order" => hash_order(),
        "environment" => object!(std::env::vars().count()),
        "file" => object!(std::fs::read(text).is_ok()),
        "fail" => return Err(failure(text, "as told")),
        // Whatever failed before ends the workflow.
        "check" => check(argument)?,
        "trap" => panic!("as told"),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "overflow" => object!(deep(1)),
        "allocate" => object!(vec![1_u8; usize::try_from(millis).unwrap_or(0) << 20].len()),
        "system-sleep" => {
            std::thread::sleep(Duration::from_millis(millis));
            Value::Null
        }
        "state" => object!(state::open(text).is_ok()),
        other => return Err(failure("program", format!("no step {other}"))),
    })
}

/// Activities side by side: `[["echo", 1], ["echo", 2]]`.
fn parallel(all: &Value) -> Result<Value, Failure> {
    let operations = begin(all)?;
    let borrowed: Vec<_> = operations.iter().collect();
    context::wait_all(&borrowed).map_err(|error| fatal(&error))?;
    Ok(operations
        .iter()
        .map(|operation| noted(operation.wait()))
        .collect())
}

/// The first of several activities.
fn first(all: &Value) -> Result<Value, Failure> {
    let operations = begin(all)?;
    let borrowed: Vec<_> = operations.iter().collect();
    let place = context::wait_any(&borrowed).map_err(|error| fatal(&error))?;
    Ok(object!([
        place,
        operations[place as usize].has_ended(),
        noted(operations[place as usize].wait())
    ]))
}

fn begin(all: &Value) -> Result<Vec<context::Operation>, Failure> {
    all.as_array()
        .into_iter()
        .flatten()
        .map(|one| match one[0].as_str() {
            Some("sleep") => context::schedule_timer(one[1].as_u64().unwrap_or(0)),
            Some("event") => context::schedule_event(
                one[1].as_str().unwrap_or_default(),
                &EventOptions {
                    timeout_ms: None,
                    metadata: vec![],
                },
            ),
            name => context::schedule_activity(
                name.unwrap_or_default(),
                &json(&one[1]),
                &activity_options(&Value::Null),
            ),
        })
        .map(|begun| begun.map_err(|error| fatal(&error)))
        .collect()
}

fn activity_options(step: &Value) -> ActivityOptions {
    ActivityOptions {
        retry: retry(step),
        start_to_close_ms: step["within"].as_u64(),
        app_id: step["app"].as_str().map(str::to_owned),
        dispatch: (step["queued"] == true).then_some(context::Dispatch::Queued),
        record_intent: step["intent"] == true,
        metadata: vec![],
    }
}

fn child_options(step: &Value) -> ChildOptions {
    ChildOptions {
        instance_id: step["id"].as_str().map(str::to_owned),
        app_id: step["app"].as_str().map(str::to_owned),
        retry: retry(step),
        metadata: vec![],
    }
}

/// `"attempts": 2` with short pauses.
fn retry(step: &Value) -> Option<RetryPolicy> {
    let attempts = step["attempts"].as_u64()?;
    Some(RetryPolicy {
        max_attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        first_interval_ms: 1,
        backoff: 1.0,
        max_interval_ms: None,
        total_timeout_ms: None,
        non_retryable: vec![],
    })
}

fn check(steps: &Value) -> Result<Value, Failure> {
    let result = take(steps)?;
    match result.get("failed") {
        Some(kind) => Err(failure(kind.as_str().unwrap_or_default(), "a step failed")),
        None => Ok(result),
    }
}

/// Calls itself without end, in a way that no compiler turns into a loop.
#[expect(unconditional_recursion, reason = "until the stack ends")]
fn deep(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    deep(depth + 1) + std::hint::black_box(frame)[0]
}

/// Two looks at each clock of the system.
fn clocks() -> Value {
    let (began, wall) = (Instant::now(), SystemTime::now());
    let since_1970 = |at: SystemTime| {
        at.duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64)
    };
    object!([
        since_1970(wall),
        began.elapsed().as_nanos() as u64,
        since_1970(SystemTime::now()) - since_1970(wall)
    ])
}

/// The order of a hash table follows from the system's randomness.
fn hash_order() -> Value {
    let table: HashMap<u32, ()> = (0..32).map(|key| (key, ())).collect();
    table.keys().copied().collect()
}

fn noted(result: Result<context::Payload, Error>) -> Value {
    match result {
        Ok(payload) => value(&payload).unwrap_or_default(),
        Err(error) => explained(&error),
    }
}

fn noted_unit(result: Result<(), Error>) -> Value {
    result.map_or_else(|error| explained(&error), |()| Value::Null)
}

fn explained(error: &Error) -> Value {
    match error {
        Error::Failed(failure) => object!({"failed": failure.kind, "message": failure.message}),
        Error::Timeout(_) => object!({"failed": "timeout"}),
        Error::Canceled(_) => object!({"failed": "canceled"}),
        Error::Invalid(text) => object!({"failed": "invalid", "message": text}),
        Error::TooLarge(text) => object!({"failed": "too-large", "message": text}),
        Error::Other(text) => object!({"failed": "other", "message": text}),
    }
}

fn fatal(error: &Error) -> Failure {
    failure("context", format!("{error:?}"))
}
