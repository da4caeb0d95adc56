//! HTTP into a guest, WASI 0.2 and 0.3: bodies stream in both directions.

use crate::{
    body::{GuestBody, LimitedRequest},
    exports::HttpExport,
    failure::Failure,
    guard::DeadlineGuard,
    guest::{Guest, Prepared, Ready, classify},
    instance::GuestState,
    run::{Driven, Run},
    spans,
};
use berth_blocks::{Caller, invocation::Body};
use berth_telemetry::trace::Span;
use http::{HeaderMap, Request, Response, header};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};
use tokio::sync::oneshot::{self, error::TryRecvError};
use wasmtime::component::ComponentExportIndex;
use wasmtime_wasi_http::{
    WasiBody, WasiHttpView,
    p2::bindings::http::types::Scheme,
    p3::{self, bindings::exports::wasi::http::handler as http3},
};

type Head = Response<WasiBody>;
type Answer = oneshot::Sender<Result<Head, Failure>>;

/// Calls the HTTP export of a guest. The answer's body drives the guest until it has finished; the span ends with it.
pub(crate) async fn handle(
    guest: &Arc<Guest>,
    caller: Arc<Caller>,
    request: Request<Body>,
    span: Span,
) -> Result<Response<Body>, Failure> {
    let head = begin(guest, &caller, request).await;
    let Begun {
        head,
        run,
        guard,
        too_large,
    } = head.inspect_err(|failure| spans::failed(&span, failure))?;
    let context = &guest.context;
    let limit = allowed(&head, context.app.limits.response_body.0);
    let limit = limit.inspect_err(|failure| spans::failed(&span, failure))?;
    let (parts, body) = head.into_parts();
    spans::answered(&span, parts.status);
    let run = (!run.is_finished()).then_some(run);
    let body = GuestBody::new(body, run, limit, context.clone(), caller, span);
    let body = body.gather(guard.as_ref()).await;
    // A body that is too large may show while the guest reads it and answers.
    let body = body.map_err(|failure| exceeded(&too_large).unwrap_or(failure))?;
    Ok(Response::from_parts(parts, body))
}

/// A guest that has answered, and perhaps works on.
struct Begun {
    head: Head,
    run: Run,
    guard: Option<DeadlineGuard>,
    too_large: Arc<AtomicBool>,
}

async fn begin(
    guest: &Arc<Guest>,
    caller: &Arc<Caller>,
    request: Request<Body>,
) -> Result<Begun, Failure> {
    let context = &guest.context;
    let limits = &context.app.limits;
    let export = guest.http()?.clone();
    let guard = request.extensions().get::<DeadlineGuard>().cloned();
    let (request, too_large) = limit(request, limits.request_body.0)?;
    let permit = context.gate.enter(caller.deadline).await?;
    let began = Instant::now();
    context.begin();

    let mut prepared = guest.prepare(caller.clone())?;
    let cpu = prepared.store().data().meter.cpu.clone();
    let (send, receive) = oneshot::channel();
    let work = call(guest.clone(), prepared, export, request, send);
    let mut run = Run::new(Box::pin(work), cpu, caller.deadline, permit);

    let outcome = head(&mut run, receive).await;
    context.took(began);
    let head = outcome.map_err(|failure| exceeded(&too_large).unwrap_or(failure))?;
    if let Some(failure) = exceeded(&too_large) {
        return Err(failure);
    }
    Ok(Begun {
        head,
        run,
        guard,
        too_large,
    })
}

/// Refuses a body that is announced as too large; counts one that is not announced.
fn limit(
    request: Request<Body>,
    limit: u64,
) -> Result<(Request<LimitedRequest<Body>>, Arc<AtomicBool>), Failure> {
    if announced(request.headers()).is_some_and(|length| length > limit) {
        return Err(Failure::RequestBody);
    }
    let (parts, body) = request.into_parts();
    let (body, exceeded) = LimitedRequest::new(body, limit);
    Ok((Request::from_parts(parts, body), exceeded))
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn exceeded(flag: &AtomicBool) -> Option<Failure> {
    flag.load(Ordering::Relaxed).then_some(Failure::RequestBody)
}

/// The size that the response body may have; a larger announced one fails while the status can still be chosen.
fn allowed(head: &Head, limit: u64) -> Result<u64, Failure> {
    match announced(head.headers()) {
        Some(length) if length > limit => Err(Failure::ResponseBody),
        _ => Ok(limit),
    }
}

/// Drives the guest until its response head is there.
async fn head(
    run: &mut Run,
    mut receive: oneshot::Receiver<Result<Head, Failure>>,
) -> Result<Head, Failure> {
    let silent = || Failure::NoResponse("the guest returned without setting a response".into());
    // Only the guest's own poll sends. Not `receive.poll`: it pretends to wait when the task's budget is used up.
    let mut look = |_: &mut Context<'_>| match receive.try_recv() {
        Ok(answer) => Poll::Ready(answer),
        Err(TryRecvError::Closed) => Poll::Ready(Err(silent())),
        Err(TryRecvError::Empty) => Poll::Pending,
    };
    let driven = std::future::poll_fn(|context| run.drive(context, &mut look)).await;
    match driven {
        // A guest that stopped gives no answer either: the reason is its own.
        Driven::Found(answer) => answer.map_err(|silent| run.take_failure().unwrap_or(silent)),
        Driven::Ended(ended) => Err(ended.err().unwrap_or_else(silent)),
    }
}

/// The whole life of one call: instantiate, call, keep the instance for another.
async fn call(
    guest: Arc<Guest>,
    prepared: Prepared,
    export: HttpExport,
    request: Request<LimitedRequest<Body>>,
    answer: Answer,
) -> Result<(), Failure> {
    let mut ready = guest.ready(prepared).await?;
    match export {
        HttpExport::P2(handle) => call_p2(&mut ready, &handle, request, answer).await?,
        HttpExport::P3(indices) => call_p3(&mut ready, &indices, request, answer).await?,
    }
    guest.keep(ready);
    Ok(())
}

async fn call_p2(
    ready: &mut Ready,
    export: &ComponentExportIndex,
    request: Request<LimitedRequest<Body>>,
    answer: Answer,
) -> Result<(), Failure> {
    let Ready {
        store,
        instance,
        http,
        ..
    } = ready;
    let called = async {
        let handle = match http {
            Some(handle) => *handle,
            none => *none.insert(instance.get_typed_func(&mut *store, export)?),
        };
        let mut view = store.data_mut().http();
        let request = view.new_incoming_request(Scheme::Http, request)?;
        let outparam = view.new_response_outparam_from_callback(move |response| {
            let response = response
                .map_err(|code| Failure::NoResponse(format!("the guest answered {code:?}")));
            // Whoever waited may be gone: the guest need not know.
            let _ = answer.send(response);
        })?;
        handle.call_async(&mut *store, (request, outparam)).await
    };
    let called = called.await;
    called.map_err(|error| classify(&error, store.data(), Failure::Trap))
}

async fn call_p3(
    ready: &mut Ready,
    indices: &http3::GuestIndices,
    request: Request<LimitedRequest<Body>>,
    answer: Answer,
) -> Result<(), Failure> {
    let Ready {
        store, instance, ..
    } = ready;
    let called = async {
        let handler = indices.load(&mut *store, instance)?;
        let (request, processed) = p3::Request::from_http(store.data_mut().http().hooks, request);
        let request = store.data_mut().http().table.push(request)?;
        let concurrent = store.run_concurrent(async |accessor| {
            let response = match handler.call_handle(accessor, request).await? {
                Ok(response) => response,
                Err(code) => {
                    let _ = answer.send(Err(Failure::NoResponse(format!(
                        "the guest answered {code:?}"
                    ))));
                    return Ok(());
                }
            };
            let head = accessor.with(|mut store| {
                let response = store.data_mut().http().table.delete(response)?;
                response.into_http_with_getter(&mut store, processed, GuestState::http)
            })?;
            let _ = answer.send(Ok(head));
            // The guest writes its body, and may work on, in tasks of its own.
            std::future::poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
            Ok::<_, wasmtime::Error>(())
        });
        pin!(concurrent).await?
    };
    let called = called.await;
    called.map_err(|error| classify(&error, store.data(), Failure::Trap))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{admission::Gate, meter::Meter};
    use berth_resources::Limits;
    use http_body_util::{BodyExt, Empty};
    use std::time::Duration;
    use tokio::{sync::Semaphore, task::coop};

    #[tokio::test]
    async fn a_response_is_seen_by_a_task_that_has_used_up_its_budget() {
        let deadline = Instant::now() + Duration::from_secs(60);
        let gate = Gate::new(1, 0, Arc::new(Semaphore::new(1)));
        let permit = gate.enter(deadline).await.unwrap();
        let (send, receive) = oneshot::channel();
        let guest = async move {
            let body = Empty::new().map_err(|never| match never {});
            let _ = send.send(Ok(Response::new(body.boxed_unsync())));
            Ok(())
        };
        let cpu = Meter::new(&Limits::default()).cpu;
        let mut run = Run::new(Box::pin(guest), cpu, deadline, permit);
        std::future::poll_fn(|context| {
            while let Poll::Ready(proceed) = coop::poll_proceed(context) {
                proceed.made_progress();
            }
            Poll::Ready(())
        })
        .await;
        head(&mut run, receive).await.unwrap();
        assert!(run.is_finished());
    }
}
