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

const WORKFLOW: &str = "steps";
const ACTIVITY: &str = "step";

/// Starts a workflow of so many steps and waits for its end.
pub fn run(calls: &Loop) -> Result<u128, String> {
    let began = Instant::now();
    let options = client::StartOptions {
        instance_id: None,
        app_id: None,
        start_at_ms: None,
        reuse: None,
        conflict: None,
        metadata: Vec::new(),
    };
    let told = |error: client::Error| format!("{error:?}");
    let id = client::start(WORKFLOW, &number(calls.times), &options).map_err(told)?;
    let target = client::Target {
        instance_id: id,
        app_id: None,
    };
    let ended = client::wait(&target, None).map_err(told)?;
    match ended.status {
        client::Status::Completed => Ok(began.elapsed().as_nanos()),
        status => Err(format!("it ended {status:?}: {:?}", ended.failure)),
    }
}

impl Registry for Bench {
    fn workflows() -> Vec<String> {
        vec![WORKFLOW.to_owned()]
    }

    fn activities() -> Vec<String> {
        vec![ACTIVITY.to_owned()]
    }
}

impl Workflows for Bench {
    fn run(_name: String, steps: Payload) -> Result<Payload, Failure> {
        let steps = String::from_utf8_lossy(&steps.data).parse().unwrap_or(0);
        for step in 0..steps {
            let options = context::ActivityOptions {
                retry: None,
                start_to_close_ms: None,
                app_id: None,
                dispatch: None,
                record_intent: false,
                metadata: Vec::new(),
            };
            context::call_activity(ACTIVITY, &number(step), &options).map_err(|error| Failure {
                kind: "step".to_owned(),
                message: format!("{error:?}"),
                non_retryable: true,
            })?;
        }
        Ok(number(steps))
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
