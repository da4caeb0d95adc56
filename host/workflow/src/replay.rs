//! Trying a history against code, without an instance: whether code that was changed still fits.

use crate::{Context, Event, Executor, WorkflowEnd, WorkflowRun, core::Core, guest::Guest};
use berth_blocks::workflow::InstanceKey;
use futures::future::poll_fn;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc, task::Poll};

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// The code came by the whole history and waits for what follows.
    Waits,
    /// The code came by the whole history and ended.
    Ended(WorkflowEnd),
    /// The code and the history part: where, with both sides.
    Differs(String),
}

/// Runs code, by digest where the executor has several, against a history. Nothing is stored, no activity is called.
pub async fn replay(
    executor: &dyn Executor,
    key: &InstanceKey,
    history: Vec<Event>,
    code: Option<String>,
) -> Replay {
    let Some(core) = Core::new(key.clone(), VecDeque::from(history)) else {
        return Replay::Differs("the history does not begin with a start".to_owned());
    };
    let run = WorkflowRun {
        key: key.clone(),
        name: core.started.workflow.clone(),
        input: core.input.clone(),
        traceparent: None,
        code,
    };
    let core = Arc::new(Mutex::new(core));
    let context = Context::new(core.clone(), Arc::new([]));
    let mut guest = Guest::new(executor.run_workflow(context, run));
    loop {
        let polled = guest.poll();
        if let Some(outcome) = step(&mut core.lock(), polled) {
            return outcome;
        }
        // Code that waits for nothing that it was given works, and says when it can go on.
        if !core.lock().is_blocked() {
            poll_fn(|cx| {
                if guest.is_woken(cx) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
    }
}

/// What follows from a poll of the code; `None`: it goes on.
fn step(core: &mut Core, polled: Poll<WorkflowEnd>) -> Option<Replay> {
    if polled.is_ready() && core.halt.is_none() {
        core.check_end("its end");
    }
    let exhausted = polled.is_pending() && core.is_blocked() && !core.deliver_past();
    if let Some(halt) = &core.halt {
        return Some(Replay::Differs(halt.to_string()));
    }
    match polled {
        Poll::Ready(end) => Some(Replay::Ended(end)),
        Poll::Pending => exhausted.then_some(Replay::Waits),
    }
}
