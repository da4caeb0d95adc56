//! A workflow of sequential activities that do nothing: what is measured is what a step costs.

use crate::bindings::berth::workflow::{
    client, context,
    types::{Failure, Payload},
};
use crate::bindings::exports::berth::workflow::{
    activities::{Guest as Activities, Task},
    registry::Guest as Registry,
    workflows::Guest as Workflows,
};
use crate::{Bench, Loop};
use std::time::Instant;

/// Sequential activities.
const STEPS: &str = "steps";
/// The same, then the event `go`.
const PARKED: &str = "parked";
/// A timer of so many milliseconds.
const SLEEPS: &str = "sleeps";
const ACTIVITY: &str = "step";
const EVENT: &str = "go";

/// Starts a workflow of so many steps and waits for its end.
pub fn run(calls: &Loop) -> Result<u128, String> {
    let began = Instant::now();
    let id = start(STEPS, calls.times, None)?;
    wait(id)?;
    Ok(began.elapsed().as_nanos())
}

/// Starts the instance of a number, which waits after so many steps.
pub fn park(calls: &Loop) -> Result<u128, String> {
    start(PARKED, calls.times, Some(calls.from)).map(|_| 0)
}

/// Starts the instance of a number, which sleeps for so many milliseconds.
pub fn sleep(calls: &Loop) -> Result<u128, String> {
    start(SLEEPS, calls.times, Some(calls.from)).map(|_| 0)
}

/// Lets the instance of a number go on.
pub fn raise(calls: &Loop) -> Result<u128, String> {
    let options = client::EventOptions {
        event_id: None,
        metadata: Vec::new(),
    };
    let target = target(calls.from.to_string());
    client::raise_event(&target, EVENT, &number(0), &options)
        .map(|()| 0)
        .map_err(told)
}

/// Waits for the end of the instance of a number.
pub fn end(calls: &Loop) -> Result<u128, String> {
    wait(calls.from.to_string()).map(|()| 0)
}

/// 1 if the instance of a number waits for its event.
pub fn waits(calls: &Loop) -> Result<u128, String> {
    let found = client::get(&target(calls.from.to_string())).map_err(told)?;
    let on = found.and_then(|instance| instance.waiting_on);
    Ok(u128::from(on.is_some_and(|on| on.contains(EVENT))))
}

fn start(workflow: &str, input: u32, id: Option<u32>) -> Result<String, String> {
    let options = client::StartOptions {
        instance_id: id.map(|id| id.to_string()),
        app_id: None,
        start_at_ms: None,
        reuse: None,
        conflict: None,
        metadata: Vec::new(),
    };
    client::start(workflow, &number(input), &options).map_err(told)
}

fn wait(id: String) -> Result<(), String> {
    let ended = client::wait(&target(id), None).map_err(told)?;
    match ended.status {
        client::Status::Completed => Ok(()),
        status => Err(format!("it ended {status:?}: {:?}", ended.failure)),
    }
}

fn target(instance_id: String) -> client::Target {
    client::Target {
        instance_id,
        app_id: None,
    }
}

fn told(error: client::Error) -> String {
    format!("{error:?}")
}

impl Registry for Bench {
    fn workflows() -> Vec<String> {
        [STEPS, PARKED, SLEEPS].map(str::to_owned).into()
    }

    fn activities() -> Vec<String> {
        vec![ACTIVITY.to_owned()]
    }
}

impl Workflows for Bench {
    fn run(name: String, input: Payload) -> Result<Payload, Failure> {
        let count = String::from_utf8_lossy(&input.data).parse().unwrap_or(0);
        if name == SLEEPS {
            context::sleep(count.into()).map_err(failed)?;
            return Ok(number(count));
        }
        for step in 0..count {
            let options = context::ActivityOptions {
                retry: None,
                start_to_close_ms: None,
                app_id: None,
                dispatch: None,
                record_intent: false,
                metadata: Vec::new(),
            };
            context::call_activity(ACTIVITY, &number(step), &options).map_err(failed)?;
        }
        if name == PARKED {
            let options = context::EventOptions {
                timeout_ms: None,
                metadata: Vec::new(),
            };
            context::wait_event(EVENT, &options).map_err(failed)?;
        }
        Ok(number(count))
    }
}

fn failed(error: context::Error) -> Failure {
    Failure {
        kind: "step".to_owned(),
        message: format!("{error:?}"),
        non_retryable: true,
    }
}

impl Activities for Bench {
    fn run(_task: Task, _name: String, input: Payload) -> Result<Payload, Failure> {
        Ok(input)
    }
}

fn number(number: u32) -> Payload {
    Payload {
        data: number.to_string().into_bytes(),
        content_type: None,
    }
}
