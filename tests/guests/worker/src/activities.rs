//! Activities, each with an effect that a test can see: a list in the state store `statestore`.

use crate::bindings::berth::state::store as state;
use crate::bindings::berth::workflow::types::Failure;
use crate::bindings::exports::berth::workflow::activities::Task;
use crate::failure;
use serde_json::{Value, json};

pub const NAMES: [&str; 8] = [
    "echo", "effect", "once", "flaky", "fail", "trap", "spin", "task",
];

pub fn run(task: &Task, name: &str, input: &Value) -> Result<Value, Failure> {
    match name {
        "echo" => Ok(input.clone()),
        // Counts its executions under a key.
        "effect" => add(input.as_str().unwrap_or("effect")),
        // The same, but once for each idempotency key.
        "once" => once(task, input.as_str().unwrap_or("once")),
        // Fails until an attempt.
        "flaky" if u64::from(task.attempt) < input.as_u64().unwrap_or(2) => {
            Err(failure("flaky", format!("attempt {}", task.attempt)))
        }
        "flaky" => Ok(json!(task.attempt)),
        "fail" => Err(Failure {
            non_retryable: input["final"] == true,
            ..failure(input["kind"].as_str().unwrap_or("fail"), "as told")
        }),
        "trap" => panic!("as told"),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "task" => Ok(json!({
            "instance": task.instance_id, "app": task.app_id, "task": task.task_id,
            "attempt": task.attempt, "key": task.idempotency_key,
        })),
        _ => Err(failure("unknown", format!("no activity {name}"))),
    }
}

fn add(key: &str) -> Result<Value, Failure> {
    let store = state::open("statestore").map_err(|error| told(&error))?;
    loop {
        let found = store.get(key, &read()).map_err(|error| told(&error))?;
        let (count, etag) = match &found {
            Some(entry) => (number(&entry.value), Some(entry.etag.clone())),
            None => (0, None),
        };
        let next = (count + 1).to_string().into_bytes();
        let options = state::SetOptions {
            etag,
            concurrency: Some(state::Concurrency::FirstWrite),
            ..write()
        };
        match store.set(key, &next, &options) {
            Ok(()) => return Ok(json!(count + 1)),
            Err(state::Error::Conflict(_)) => {}
            Err(error) => return Err(told(&error)),
        }
    }
}

fn once(task: &Task, key: &str) -> Result<Value, Failure> {
    let store = state::open("statestore").map_err(|error| told(&error))?;
    let mark = format!("done-{}", task.idempotency_key);
    if store
        .get(&mark, &read())
        .map_err(|error| told(&error))?
        .is_some()
    {
        return Ok(json!("again"));
    }
    add(key)?;
    store
        .set(&mark, b"1", &write())
        .map_err(|error| told(&error))?;
    Ok(json!("first"))
}

fn number(bytes: &[u8]) -> u64 {
    String::from_utf8_lossy(bytes).parse().unwrap_or(0)
}

fn read() -> state::GetOptions {
    state::GetOptions {
        consistency: None,
        metadata: vec![],
    }
}

fn write() -> state::SetOptions {
    state::SetOptions {
        etag: None,
        concurrency: None,
        consistency: None,
        ttl_seconds: None,
        content_type: None,
        metadata: vec![],
    }
}

fn told(error: &state::Error) -> Failure {
    failure("state", format!("{error:?}"))
}
