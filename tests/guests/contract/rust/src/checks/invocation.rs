//! `berth:invocation`.

use super::{Check, Outcome, Run, done, expect, refused};
use crate::bindings::berth::invocation::invoker::{self, Error, Request};

pub const CHECKS: &[Check] = &[
    ("invocation.invoke", invoke),
    ("invocation.status", status),
    ("invocation.unknown-app", unknown_app),
    ("invocation.bad-verb", bad_verb),
];

const ECHO: &str = concat!(
    r#"{"verb":"POST","path":"/echo","query":"x=1","body":"ping","#,
    r#""headers":{"content-type":"text/plain","x-contract":"yes"}}"#
);

fn request(verb: &str, method: &str) -> Request {
    Request {
        method: method.to_owned(),
        verb: verb.to_owned(),
        headers: vec![],
        query: None,
        body: vec![],
        timeout_ms: None,
        metadata: vec![],
    }
}

fn invoke(run: &Run) -> Outcome {
    let request = Request {
        headers: [("content-type", "text/plain"), ("x-contract", "yes")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        query: Some("x=1".to_owned()),
        body: b"ping".to_vec(),
        timeout_ms: Some(5000),
        ..request("POST", "echo")
    };
    let response = done(invoker::invoke(&run.app_id, &request))?;
    let body = String::from_utf8_lossy(&response.body);
    expect(response.status == 201 && body == ECHO, || {
        format!("{} {body}", response.status)
    })
}

fn status(run: &Run) -> Outcome {
    let response = done(invoker::invoke(&run.app_id, &request("GET", "nowhere")))?;
    expect(response.status == 404, || {
        format!("status {}", response.status)
    })
}

fn unknown_app(_: &Run) -> Outcome {
    let result = invoker::invoke("no-such-app", &request("GET", "echo"));
    refused(result, |error| matches!(error, Error::NotFound(_)))
}

fn bad_verb(run: &Run) -> Outcome {
    let result = invoker::invoke(&run.app_id, &request("NO VERB", "echo"));
    refused(result, |error| matches!(error, Error::Invalid(_)))
}
