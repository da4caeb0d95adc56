//! Spans of what an app serves and of what it asks of the world outside.

use crate::{app::AppContext, failure::Failure};
use berth_blocks::Delivery;
use berth_blocks::workflow::{Status, Timestamp};
use berth_telemetry::trace::{Origin, Past, Span, SpanContext, SpanKind, Trace};
use berth_workflow::{ActivityTask, EndedRun};
use http::{HeaderMap, Request, StatusCode, Uri, uri::Authority};
use std::time::{Duration, UNIX_EPOCH};

/// An app gets a request: where its work stands, and the span of that. The guest sees itself in the headers, so that
/// what it asks of others nests below.
pub(crate) fn serve<B>(app: &AppContext, request: &mut Request<B>) -> (Trace, Span) {
    let trace = app.tracer.join(Origin::of_headers(request.headers()));
    let mut entered = (trace, Span::none());
    if entered.0.is_recorded() {
        entered = begin(&entered.0, request);
    }
    entered.0.replace(request.headers_mut());
    entered
}

fn begin<B>(trace: &Trace, request: &Request<B>) -> (Trace, Span) {
    let method = request.method();
    // The conventions allow a route behind the method, and never a path; the app's routes are its own business.
    let span = trace.span(SpanKind::Server, || method.to_string().into());
    span.set("http.request.method", method.to_string());
    span.set("url.path", request.uri().path().to_owned());
    if let Some(caller) = text(request.headers(), "dapr-caller-app-id") {
        span.set("berth.caller", caller.to_owned());
    }
    (trace.inside(&span), span)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// How a request that an app served ended. As the conventions have it, only what the server got wrong is an error.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    if !span.is_recorded() {
        return;
    }
    span.set("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.fail("http", || status.as_u16().to_string());
    }
}

/// What stopped a call.
pub(crate) fn failed(span: &Span, failure: &Failure) {
    if span.is_recorded() {
        let reason = failure.reason();
        span.set("http.response.status_code", failure.status().as_u16());
        span.fail(reason, || reason.to_owned());
    }
}

/// Several messages share a call, which belongs to none of their traces: it begins one and names them all.
pub(crate) fn batch(app: &AppContext, batch: &[Delivery]) -> (Trace, Span) {
    let topic = batch.first().map_or("", |first| &first.topic);
    let (trace, span) = app.tracer.enter(
        Origin::default(),
        SpanKind::Consumer,
        format!("pubsub.deliver {topic}"),
    );
    if span.is_recorded() {
        let count = i64::try_from(batch.len()).unwrap_or(i64::MAX);
        span.set("messaging.batch.message_count", count);
        span.set("messaging.destination.name", topic.to_owned());
        for delivery in batch {
            span.link(delivery.trace.context());
        }
    }
    (trace, span)
}

/// A run of a workflow that has ended, perhaps after months and on another host than it began.
pub(crate) fn workflow(app: &AppContext, run: &EndedRun) {
    let context = |text: &str| text.parse::<SpanContext>().ok();
    let (Some(parent), Some(own)) = (context(&run.started_by), context(&run.traceparent)) else {
        return;
    };
    let since_1970 = |at: Timestamp| Duration::from_millis(u64::try_from(at.0).unwrap_or(0));
    let status = run.status.map_or("continued-as-new", Status::name);
    let failed = matches!(
        run.status,
        Some(Status::Failed | Status::Canceled | Status::Terminated)
    );
    app.tracer.record_past(
        parent,
        own,
        Past {
            name: format!("workflow.run {}", run.workflow),
            began: UNIX_EPOCH + since_1970(run.began),
            took: run.began.until(run.ended),
            attributes: vec![
                (
                    "berth.workflow.instance".into(),
                    run.key.id.to_string().into(),
                ),
                ("berth.workflow.status".into(), status.to_lowercase().into()),
            ],
            failure: failed.then_some("workflow"),
        },
    );
}

/// One attempt of an activity. It nests below the run that asked for it: retries stand beside each other.
pub(crate) fn activity(app: &AppContext, task: &ActivityTask) -> (Trace, Span) {
    let trace = app.tracer.join(run_of(task.traceparent.as_deref()));
    let span = trace.span(SpanKind::Internal, || {
        format!("workflow.activity {}", task.name).into()
    });
    if span.is_recorded() {
        span.set("berth.activity.attempt", task.attempt);
    }
    (trace.inside(&span), span)
}

/// A run of a workflow, by its `traceparent`.
pub(crate) fn run_of(traceparent: Option<&str>) -> Origin {
    Origin::of_texts(traceparent.unwrap_or_default(), "", "")
}

/// A guest asks the world outside: the span, and the headers that make the other side nest below it. A guest that makes
/// spans of its own says in its request where it stands.
pub(crate) fn ask<B>(trace: &Trace, request: &mut Request<B>) -> Span {
    let own = Origin::of_headers(request.headers()).context;
    let trace = own.map_or_else(|| trace.clone(), |own| trace.at(own));
    let span = trace.span(SpanKind::Client, || request.method().to_string().into());
    if span.is_recorded() {
        span.set("http.request.method", request.method().to_string());
        // Not the path, which may hold secrets of somebody else's API.
        destination(&span, request.uri());
    }
    trace.inside(&span).inject(request.headers_mut());
    span
}

fn destination(span: &Span, uri: &Uri) {
    if let Some(host) = uri.host() {
        span.set("server.address", host.to_owned());
    }
    if let Some(port) = uri.authority().and_then(Authority::port_u16) {
        span.set("server.port", port);
    }
}

/// How a request to the world outside ended: there any status from 400 is an error, as the conventions have it.
pub(crate) fn told<B, E>(span: &Span, answer: &Result<http::Response<B>, E>) {
    match answer {
        Ok(response) => {
            let status = response.status();
            span.set("http.response.status_code", status.as_u16());
            if status.as_u16() >= 400 {
                span.fail("http", || status.as_u16().to_string());
            }
        }
        Err(_) => span.fail("unavailable", || "no answer".to_owned()),
    }
}
