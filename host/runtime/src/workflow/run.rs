//! One workflow in its instance, for as long as this host owns it.

use super::{link::forbidden, places::Places};
use crate::{
    failure::Failure as Stopped,
    guest::{Guest, classify},
    meter::CpuClock,
    spans,
};
use berth_blocks::{Caller, clock};
use berth_telemetry::trace::Trace;
use berth_workflow::{Context, WorkflowEnd, WorkflowRun};
use futures::future::BoxFuture;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};
use wasmtime::WasmBacktrace;

/// Nobody waits for a workflow: its deadline is far away. CPU time bounds what it does between two waits.
const NO_DEADLINE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Runs it from its beginning to its end. Dropped: the instance is given up.
pub(super) async fn run(
    guest: Arc<Guest>,
    places: Arc<Places>,
    context: Context,
    run: WorkflowRun,
) -> WorkflowEnd {
    if let Err(problem) = check(&guest, &run.name) {
        return WorkflowEnd::Stalled(problem);
    }
    let Some(_place) = places.take().await else {
        return WorkflowEnd::Unavailable("the host stops".to_owned());
    };
    match in_instance(&guest, context, run).await {
        Ok(end) => end,
        Err(Stop {
            why: Stopped::Overloaded | Stopped::Draining,
            ..
        }) => WorkflowEnd::Unavailable("there is no place for it".to_owned()),
        Err(stop) => WorkflowEnd::Stalled(reason(&guest, &stop)),
    }
}

/// What stopped a workflow, and where.
struct Stop {
    why: Stopped,
    /// The innermost cause of a trap, in wasmtime's words.
    cause: String,
    /// The guest's frames, one a line, innermost first; empty if it was not running.
    frames: String,
}

/// Frames that are told: a stack that overflowed has thousands.
const FRAMES_MAX: usize = 20;

impl Stop {
    fn of(error: &wasmtime::Error, why: Stopped) -> Self {
        let frames = error.downcast_ref::<WasmBacktrace>();
        Self {
            why,
            cause: error.root_cause().to_string(),
            frames: frames.map(lines).unwrap_or_default(),
        }
    }
}

fn lines(backtrace: &WasmBacktrace) -> String {
    let frames = backtrace.frames().iter().take(FRAMES_MAX);
    let lines = frames.map(|frame| match frame.func_name() {
        Some(name) => format!("  at {:#}", rustc_demangle::demangle(name)),
        None => format!("  at wasm function {}", frame.func_index()),
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl From<Stopped> for Stop {
    fn from(why: Stopped) -> Self {
        Self {
            why,
            cause: String::new(),
            frames: String::new(),
        }
    }
}

fn check(guest: &Guest, name: &str) -> Result<(), String> {
    let app = &guest.context.app.id;
    if guest.exports.workflows.is_none() {
        return Err(format!("app \"{app}\" has no workflows"));
    }
    match guest.registered.get() {
        Some(known) if !known.workflows.iter().any(|workflow| workflow == name) => Err(format!(
            "app \"{app}\" has no workflow `{name}`, but `{}`",
            known.workflows.join("`, `")
        )),
        _ => Ok(()),
    }
}

async fn in_instance(
    guest: &Arc<Guest>,
    context: Context,
    run: WorkflowRun,
) -> Result<WorkflowEnd, Stop> {
    let Some(indices) = guest.exports.workflows.clone() else {
        return Err(Stopped::NoResponse("it has no workflows".to_owned()).into());
    };
    let app = &guest.context.app;
    let caller = Arc::new(Caller {
        namespace: app.namespace.clone(),
        app: app.id.clone(),
        // A workflow is replayed and may take months: the span of its run is recorded at its end.
        trace: Trace::remote(spans::run_of(run.traceparent.as_deref())),
        deadline: clock::instant() + NO_DEADLINE,
    });
    let store = guest.prepare_workflow(caller, context)?;
    let cpu = store.data().meter.cpu.clone();
    let work = async {
        let mut ready = guest.ready_workflow(store).await?;
        let called = async {
            let workflows = indices.load(&mut ready.store, &ready.instance)?;
            let input = run.input.into();
            workflows
                .call_run(&mut ready.store, &run.name, &input)
                .await
        };
        let called = called.await;
        called.map_err(|error| {
            let why = classify(&error, ready.store.data(), Stopped::Trap);
            Stop::of(&error, why)
        })
    };
    let metered = Metered {
        work: Box::pin(work),
        cpu,
    };
    Ok(match metered.await? {
        Ok(result) => WorkflowEnd::Completed(result.into()),
        Err(failure) => WorkflowEnd::Failed(failure.into()),
    })
}

/// Why an instance stalls, for people; on further lines where the guest stood.
fn reason(guest: &Guest, stop: &Stop) -> String {
    let limits = &guest.context.app.limits;
    let why = match &stop.why {
        Stopped::Trap(text) => {
            forbidden(text).unwrap_or_else(|| format!("the guest trapped: {}", stop.cause))
        }
        why => format!("{} ({})", why.message(limits), why.reason()),
    };
    match &*stop.frames {
        "" => why,
        frames => format!("{why}\n{frames}"),
    }
}

/// Counts the CPU time of its polls.
struct Metered<'w, T> {
    work: BoxFuture<'w, T>,
    cpu: Arc<CpuClock>,
}

impl<T> Future for Metered<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<T> {
        self.cpu.begin();
        let polled = self.work.as_mut().poll(context);
        self.cpu.end();
        polled
    }
}
