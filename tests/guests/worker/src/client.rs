//! `berth:workflow/client` over HTTP: `POST /<call>/<instance ID>[?query]` with a JSON body.

use crate::bindings::berth::workflow::client::{
    self, EventOptions, Instance, ListOptions, PurgeOptions, RerunOptions, StartOptions, Target,
    TerminateOptions,
};
use crate::bindings::wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::{json, value};
use serde_json::{Value, json as object};

type Answer = Result<Value, client::Error>;

pub fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
    let target = request.path_with_query().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut words = path.trim_start_matches('/').split('/');
    let (call, id) = (
        words.next().unwrap_or_default().to_owned(),
        words.next().unwrap_or_default().to_owned(),
    );
    let body = serde_json::from_slice(&body(&request)).unwrap_or(Value::Null);
    match asked(&call, &id, query, &body) {
        Ok(result) => answer(outparam, 200, &result.to_string()),
        Err(error) => answer(outparam, 500, &format!("{error:?}")),
    }
}

fn asked(call: &str, id: &str, query: &str, body: &Value) -> Answer {
    let target = Target {
        instance_id: id.to_owned(),
        app_id: None,
    };
    let none = Vec::new;
    Ok(match call {
        "start" => object!(client::start(
            parameter(query, "workflow").unwrap_or("program"),
            &json(body),
            &StartOptions {
                instance_id: (!id.is_empty()).then(|| id.to_owned()),
                app_id: parameter(query, "app").map(str::to_owned),
                start_at_ms: None,
                reuse: (query.contains("never")).then_some(client::ReusePolicy::Never),
                conflict: (query.contains("existing"))
                    .then_some(client::ConflictPolicy::UseExisting),
                metadata: none(),
            },
        )?),
        "get" => client::get(&target)?.map_or(Value::Null, shown),
        "wait" => shown(client::wait(&target, Some(30_000))?),
        "raise" => {
            let options = EventOptions {
                event_id: parameter(query, "id").map(str::to_owned),
                metadata: none(),
            };
            client::raise_event(
                &target,
                parameter(query, "event").unwrap_or("event"),
                &json(body),
                &options,
            )?;
            Value::Null
        }
        "cancel" => done(client::cancel(&target, "as told")?),
        "suspend" => done(client::suspend(&target, "as told")?),
        "resume" => done(client::resume(&target, "as told")?),
        "terminate" => done(client::terminate(
            &target,
            &TerminateOptions {
                reason: "as told".to_owned(),
                recursive: true,
                metadata: none(),
            },
        )?),
        "purge" => object!(client::purge(
            &target,
            &PurgeOptions {
                force: query.contains("force"),
                recursive: true,
                metadata: none(),
            },
        )?),
        "list" => client::list_instances(&ListOptions {
            app_id: None,
            workflow: None,
            statuses: vec![],
            id_prefix: id.to_owned(),
            limit: 0,
            token: None,
            metadata: none(),
        })?
        .instances
        .into_iter()
        .map(shown)
        .collect(),
        "rerun" => object!(client::rerun_from_event(
            &target,
            parameter(query, "event")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
            &RerunOptions {
                new_instance_id: None,
                input: (!body.is_null()).then(|| json(body)),
                metadata: none(),
            },
        )?),
        other => return Err(client::Error::Invalid(format!("no call {other}"))),
    })
}

fn done((): ()) -> Value {
    Value::Null
}

fn shown(instance: Instance) -> Value {
    object!({
        "id": instance.instance_id,
        "app": instance.app_id,
        "workflow": instance.workflow,
        "status": format!("{:?}", instance.status),
        "custom": instance.custom_status,
        "waitingOn": instance.waiting_on,
        "problem": instance.problem,
        "output": instance.output.map(|output| value(&output).unwrap_or_default()),
        "failure": instance.failure.map(|failure| failure.kind),
    })
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(given, _)| *given == name)
        .map(|(_, value)| value)
}

fn body(request: &IncomingRequest) -> Vec<u8> {
    let body = request.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut bytes = Vec::new();
    while let Ok(chunk) = stream.blocking_read(64 * 1024) {
        bytes.extend(chunk);
    }
    drop(stream);
    drop(IncomingBody::finish(body));
    bytes
}

fn answer(outparam: ResponseOutparam, status: u16, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    response
        .set_status_code(status)
        .expect("the status is in range");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(outparam, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    for chunk in text.as_bytes().chunks(4096) {
        if stream.blocking_write_and_flush(chunk).is_err() {
            return;
        }
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}
