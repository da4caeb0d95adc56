//! Workflows that do what their input says, step by step; activities that fail as they are told; and a client of both
//! over HTTP.
//!
//! The input of the workflow `program` is a list of steps, its result the list of their results:
//! `{"activity": "echo", "input": 1}`, `{"sleep": 5}`, `{"event": "paid", "timeout": 50}`, ... See `program.rs`.

mod activities;
mod client;
mod program;

use bindings::berth::workflow::types::{Failure, Payload};
use bindings::exports::berth::workflow::{
    activities::{Guest as Activities, Task},
    registry::Guest as Registry,
    workflows::Guest as Workflows,
};
use bindings::exports::wasi::http::incoming_handler;
use bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use serde_json::Value;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package test:worker;

            world worker {
                import berth:state/store@0.1.0;
                import berth:workflow/client@0.1.0;
                import berth:workflow/context@0.1.0;
                export berth:workflow/workflows@0.1.0;
                export berth:workflow/activities@0.1.0;
                export berth:workflow/registry@0.1.0;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        generate_all,
    });
}

struct Worker;
bindings::export!(Worker with_types_in bindings);

impl Registry for Worker {
    fn workflows() -> Vec<String> {
        ["program", "forever"].map(str::to_owned).to_vec()
    }

    fn activities() -> Vec<String> {
        activities::NAMES.map(str::to_owned).to_vec()
    }
}

impl Workflows for Worker {
    fn run(name: String, input: Payload) -> Result<Payload, Failure> {
        match name.as_str() {
            "program" => program::run(&value(&input)?).map(|result| json(&result)),
            "forever" => program::count(&value(&input)?).map(|result| json(&result)),
            _ => Err(failure("unknown", format!("no workflow {name}"))),
        }
    }
}

impl Activities for Worker {
    fn run(task: Task, name: String, input: Payload) -> Result<Payload, Failure> {
        activities::run(&task, &name, &value(&input)?).map(|result| json(&result))
    }
}

impl incoming_handler::Guest for Worker {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        client::handle(request, outparam);
    }
}

fn json(value: &Value) -> Payload {
    Payload {
        data: value.to_string().into_bytes(),
        content_type: Some("application/json".to_owned()),
    }
}

fn value(payload: &Payload) -> Result<Value, Failure> {
    if payload.data.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&payload.data).map_err(|error| failure("input", error.to_string()))
}

fn failure(kind: &str, message: impl Into<String>) -> Failure {
    Failure {
        kind: kind.to_owned(),
        message: message.into(),
        non_retryable: false,
    }
}
