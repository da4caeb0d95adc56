//! Messages into a guest: its `subscriber` export, or its HTTP export in Dapr's form.

pub(crate) mod bulk;

use crate::{
    bindings::berth::{exports::pubsub::subscriber as wit, pubsub::types},
    body::{self, ReadError},
    failure::Failure,
    guest::{Guest, classify},
    http,
    run::Run,
};
use ::http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use berth_blocks::{Caller, Delivery, DeliveryOutcome, invocation::Body};
use berth_telemetry::trace::Span;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use std::{sync::Arc, time::Instant};
use tokio::sync::oneshot;

/// Largest answer that is looked at for a status.
const ANSWER_MAX: usize = 64 << 10;

/// Hands one message to a guest.
pub(crate) async fn deliver(
    guest: &Arc<Guest>,
    caller: Arc<Caller>,
    delivery: Delivery,
) -> DeliveryOutcome {
    let outcome = if guest.exports.subscriber.is_some() {
        to_subscriber(guest, caller.clone(), delivery).await
    } else {
        to_http(guest, caller.clone(), delivery).await
    };
    outcome.unwrap_or_else(|failure| undone(guest, &caller, &failure))
}

/// What a call that failed means for its messages.
fn undone(guest: &Guest, caller: &Caller, failure: &Failure) -> DeliveryOutcome {
    if matches!(failure, Failure::Overloaded | Failure::Draining) {
        return DeliveryOutcome::Busy;
    }
    guest.context.record(failure, caller);
    DeliveryOutcome::Retry(format!(
        "{} ({})",
        failure.message(&guest.context.app.limits),
        failure.reason()
    ))
}

async fn to_subscriber(
    guest: &Arc<Guest>,
    caller: Arc<Caller>,
    delivery: Delivery,
) -> Result<DeliveryOutcome, Failure> {
    let Some(indices) = guest.exports.subscriber.clone() else {
        return Err(Failure::NoHttp);
    };
    let context = &guest.context;
    let permit = context.gate.enter(caller.deadline).await?;
    let began = Instant::now();
    context.begin();
    let mut prepared = guest.prepare(caller.clone())?;
    let cpu = prepared.store().data().meter.cpu.clone();
    let (send, receive) = oneshot::channel();
    let work = {
        let guest = guest.clone();
        async move {
            let mut ready = guest.ready(prepared).await?;
            let called = async {
                let subscriber = indices.load(&mut ready.store, &ready.instance)?;
                subscriber
                    .call_handle(&mut ready.store, &delivery.into())
                    .await
            };
            let called = called.await;
            let outcome =
                called.map_err(|error| classify(&error, ready.store.data(), Failure::Trap))?;
            guest.keep(ready);
            let _ = send.send(outcome);
            Ok(())
        }
    };
    let ran = Run::new(Box::pin(work), cpu, caller.deadline, permit).await;
    context.took(began);
    ran?;
    let outcome = receive
        .await
        .map_err(|_| Failure::NoResponse("no outcome".into()))?;
    Ok(match outcome {
        wit::Outcome::Success => DeliveryOutcome::Success,
        wit::Outcome::Retry => {
            DeliveryOutcome::Retry("the guest asked for another delivery".into())
        }
        wit::Outcome::Drop => DeliveryOutcome::Drop("the guest dropped the message".into()),
    })
}

/// Dapr's form: the CloudEvent as body of a POST, the answer read as Dapr reads it.
async fn to_http(
    guest: &Arc<Guest>,
    caller: Arc<Caller>,
    delivery: Delivery,
) -> Result<DeliveryOutcome, Failure> {
    let request = request(&caller, &delivery)?;
    Ok(match post(guest, caller, request, ANSWER_MAX).await? {
        Answer::Body(body) => outcome(&body),
        // Nobody says RETRY in more than that.
        Answer::TooLarge => DeliveryOutcome::Success,
        Answer::Settled(outcome) => outcome,
    })
}

/// What an HTTP export answered to a delivery.
enum Answer {
    /// It took it, with these words.
    Body(Bytes),
    /// It took it, with too many words.
    TooLarge,
    /// The status alone says how it ended.
    Settled(DeliveryOutcome),
}

/// Hands messages to the HTTP export. An answer is read up to `limit`.
async fn post(
    guest: &Arc<Guest>,
    caller: Arc<Caller>,
    request: Request<Body>,
    limit: usize,
) -> Result<Answer, Failure> {
    let route = request.uri().path().to_owned();
    // The delivery has a span already.
    let response = http::handle(guest, caller, request, Span::none()).await?;
    let status = response.status();
    if status == StatusCode::NOT_FOUND {
        let reason = format!("the app has no route `{route}` (404)");
        return Ok(Answer::Settled(DeliveryOutcome::Drop(reason)));
    }
    let body = body::read(response.into_body(), limit).await;
    if !status.is_success() {
        return Ok(Answer::Settled(DeliveryOutcome::Failed {
            status: status.as_u16(),
            reason: format!("the app answered {status}"),
        }));
    }
    Ok(match body {
        Ok(body) => Answer::Body(body),
        Err(ReadError::TooLarge) => Answer::TooLarge,
        Err(ReadError::Broken(error)) => Answer::Settled(DeliveryOutcome::Retry(format!(
            "the app's answer broke off: {error}"
        ))),
    })
}

fn request(caller: &Caller, delivery: &Delivery) -> Result<Request<Body>, Failure> {
    let mut request = to_route(
        caller,
        &delivery.route,
        "application/cloudevents+json",
        delivery.envelope.clone(),
    )?;
    let extra = delivery
        .metadata
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in extra.chain([("pubsubName", &*delivery.pubsub)]) {
        let name = HeaderName::try_from(format!("metadata.{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            request.headers_mut().append(name, value);
        }
    }
    Ok(request)
}

/// A POST to a route of an app.
fn to_route(
    caller: &Caller,
    route: &str,
    content_type: &str,
    body: Bytes,
) -> Result<Request<Body>, Failure> {
    let path = format!("/{}", route.trim_start_matches('/'));
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, caller.app.as_str())
        .header(header::CONTENT_TYPE, content_type)
        .header(header::CONTENT_LENGTH, body.len())
        .body(
            Full::new(body)
                .map_err(|never| match never {})
                .boxed_unsync(),
        )
        .map_err(|error| Failure::BadRequest(format!("route `{route}`: {error}")))?;
    caller.trace.inject(request.headers_mut());
    Ok(request)
}

/// `{"status": "SUCCESS" | "RETRY" | "DROP"}`; anything that is not JSON, or has no status, is success.
fn outcome(body: &Bytes) -> DeliveryOutcome {
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(body) else {
        return DeliveryOutcome::Success;
    };
    match answer.get("status").and_then(serde_json::Value::as_str) {
        None | Some("") => DeliveryOutcome::Success,
        Some(status) => of_status(status),
    }
}

fn of_status(status: &str) -> DeliveryOutcome {
    match status {
        "SUCCESS" => DeliveryOutcome::Success,
        "DROP" => DeliveryOutcome::Drop("the app answered DROP".into()),
        "RETRY" => DeliveryOutcome::Retry("the app answered RETRY".into()),
        other => DeliveryOutcome::Retry(format!("the app answered the unknown status `{other}`")),
    }
}

impl From<Delivery> for wit::Delivery {
    fn from(delivery: Delivery) -> Self {
        let event = delivery.event;
        Self {
            pubsub: delivery.pubsub.to_string(),
            topic: delivery.topic.to_string(),
            route: delivery.route.to_string(),
            attempt: delivery.attempt,
            metadata: delivery.metadata,
            event: types::Event {
                id: event.id,
                source: event.source,
                event_type: event.event_type,
                spec_version: event.spec_version,
                subject: event.subject,
                time: event.time,
                data_content_type: event.data_content_type,
                data: event.data.into(),
                extensions: event.extensions,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_dapr_reads_it() {
        let kind = |body: &'static str| match outcome(&Bytes::from_static(body.as_bytes())) {
            DeliveryOutcome::Success => "success",
            DeliveryOutcome::Retry(_) | DeliveryOutcome::Failed { .. } => "retry",
            DeliveryOutcome::Drop(_) => "drop",
            DeliveryOutcome::Busy => "busy",
        };
        let cases = [
            ("", "success"),
            ("{}", "success"),
            ("plain text", "success"),
            (r#"{"status":"SUCCESS"}"#, "success"),
            (r#"{"status":"RETRY"}"#, "retry"),
            (r#"{"status":"DROP"}"#, "drop"),
            (r#"{"status":"MAYBE"}"#, "retry"),
        ];
        for (body, expected) in cases {
            assert_eq!(kind(body), expected, "{body}");
        }
    }
}
