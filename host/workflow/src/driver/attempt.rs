//! Inline attempts of activities: which may begin, which run, which have ended.

use super::Driver;
use crate::{
    ActivityTask, Event, EventKind, Failure, Payload, core::OperationKind, platform::Task,
};
use futures::{
    StreamExt,
    future::{BoxFuture, Either, select},
    stream::FuturesUnordered,
};
use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::oneshot;

/// How an attempt ended.
#[derive(Debug)]
pub(super) struct AttemptEnded {
    pub(super) of: u64,
    pub(super) attempt: u32,
    pub(super) result: Result<Payload, Failure>,
}

/// An attempt that may begin once everything that led to it is stored.
#[derive(Debug)]
pub(super) struct Start {
    of: u64,
    attempt: u32,
}

/// Attempts of one instance.
#[derive(Default)]
pub(super) struct Attempts {
    running: FuturesUnordered<BoxFuture<'static, Option<AttemptEnded>>>,
    /// Those that run in tasks of their own; an attempt without one is polled by the driver.
    tasks: BTreeMap<u64, Task>,
    ended: VecDeque<AttemptEnded>,
    /// Operations whose next attempt may begin.
    ready: Vec<u64>,
}

impl Attempts {
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.ended.is_empty()
    }

    pub(super) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    pub(super) fn next_ended(&mut self) -> Option<AttemptEnded> {
        self.ended.pop_front()
    }

    pub(super) fn take_ended(&mut self) -> VecDeque<AttemptEnded> {
        std::mem::take(&mut self.ended)
    }

    pub(super) fn ready(&mut self, of: u64) {
        self.ready.push(of);
    }

    /// Nobody waits for this one any more.
    pub(super) fn abandon(&mut self, of: u64) {
        self.tasks.remove(&of);
    }

    /// Does something else, and goes on with what runs meanwhile: an attempt that stood still would keep others waiting
    /// for what it holds, the store among them.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            // What has ended is looked at later.
            let _ = self.poll(cx);
            work.as_mut().poll(cx)
        })
        .await
    }

    /// Waits until one has ended; pending when none runs.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(Some(ended)) = self.running.poll_next_unpin(cx) {
            if let Some(ended) = ended {
                self.tasks.remove(&ended.of);
                self.ended.push_back(ended);
            }
        }
        if self.ended.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Driver {
    /// Arms timers and finds the attempts that may begin now; records those that must be recorded first.
    pub(super) fn prepare(&mut self) -> Vec<Start> {
        let begun = self.core.lock().take_begun();
        for of in begun {
            self.arm(of);
        }
        self.taken_over = false;
        let ready = std::mem::take(&mut self.attempts.ready);
        let (lost, ready): (Vec<_>, Vec<_>) = ready.into_iter().partition(|of| self.is_lost(*of));
        if lost.is_empty() {
            let starts = ready.into_iter().filter_map(|of| self.prepare_attempt(of));
            return starts.collect();
        }
        // These are results, to be taken in first.
        self.attempts.ready = ready;
        for of in lost {
            self.lose(of);
        }
        Vec::new()
    }

    /// Whether an attempt is recorded to have begun that nobody runs: it was lost with its host.
    fn is_lost(&self, of: u64) -> bool {
        let mut core = self.core.lock();
        let operation = core.pending_operation(of);
        let activity = operation.and_then(|operation| operation.activity());
        activity.is_some_and(|activity| activity.begun_attempt == Some(activity.attempt()))
    }

    fn lose(&mut self, of: u64) {
        let mut core = self.core.lock();
        let operation = core.pending_operation(of);
        if let Some(activity) = operation.and_then(|operation| operation.activity()) {
            let attempt = activity.attempt();
            let text = format!(
                "the host ended while attempt {attempt} ran; whether it had an effect is unknown"
            );
            self.attempts.ended.push_back(AttemptEnded {
                of,
                attempt,
                result: Err(Failure::new(Failure::LOST, text)),
            });
        }
    }

    fn arm(&mut self, of: u64) {
        let mut core = self.core.lock();
        let Some(operation) = core.pending_operation(of) else {
            return;
        };
        if let Some(due) = operation.due() {
            self.due.insert((due, of));
        }
        if let Some(activity) = operation.activity_mut().filter(|activity| !activity.queued) {
            activity.suspect = self.taken_over;
            match activity.retry_at {
                Some(at) => drop(self.due.insert((at, of))),
                None => self.attempts.ready.push(of),
            }
        }
    }

    fn prepare_attempt(&mut self, of: u64) -> Option<Start> {
        let now = self.now();
        let mut core = self.core.lock();
        let activity = core.pending_operation(of)?.activity()?;
        let attempt = activity.attempt();
        if activity.options.record_intent || activity.suspect {
            let mark = EventKind::ActivityStarted { of, attempt };
            core.append_mark(Event::new(now, mark));
        }
        Some(Start { of, attempt })
    }

    /// Begins attempts: everything that led to them is stored.
    pub(super) fn launch(&mut self, starts: Vec<Start>) {
        for start in starts {
            if let Some(run) = self.attempt_future(&start) {
                self.begin(&start, run);
            }
        }
    }

    fn attempt_future(&self, start: &Start) -> Option<BoxFuture<'static, AttemptEnded>> {
        let (of, attempt) = (start.of, start.attempt);
        let mut core = self.core.lock();
        let (execution, traceparent) = (core.started.execution.clone(), core.traceparent.clone());
        let operation = core.pending_operation(of)?;
        let OperationKind::Activity(activity) = &operation.kind else {
            return None;
        };
        let app = activity.options.app.as_deref();
        let task = ActivityTask {
            key: self.key.clone(),
            app: (app.and_then(|app| app.parse().ok())).unwrap_or_else(|| self.key.app.clone()),
            name: activity.name.clone(),
            input: activity.input.clone(),
            task_id: of.to_string(),
            idempotency_key: format!("{execution}:{of}"),
            attempt,
            traceparent,
        };
        let timeout = activity.options.start_to_close;
        let shared = self.shared.clone();
        Some(Box::pin(async move {
            shared.reach("activity begins").await;
            let result = shared.run_activity(task, timeout).await;
            shared.reach("activity ended").await;
            AttemptEnded {
                of,
                attempt,
                result,
            }
        }))
    }

    /// A single attempt is polled by the driver, which saves two ways between threads; further ones get tasks of their
    /// own, so that they use other cores.
    fn begin(&mut self, start: &Start, run: BoxFuture<'static, AttemptEnded>) {
        let (of, attempt) = (start.of, start.attempt);
        if self.attempts.running.is_empty() {
            // Dropped with its sender when nobody waits for it any more.
            let (abandon, abandoned) = oneshot::channel::<()>();
            self.attempts
                .tasks
                .insert(of, Task::new(move || drop(abandon)));
            let run = async move {
                match select(run, abandoned).await {
                    Either::Left((ended, _)) => Some(ended),
                    Either::Right(_) => None,
                }
            };
            self.attempts.running.push(Box::pin(run));
            return;
        }
        let (reply, answer) = oneshot::channel();
        let task = self.spawn(Box::pin(async move {
            // An instance that was given up wants no result.
            drop(reply.send(run.await));
        }));
        self.attempts.tasks.insert(of, task);
        self.attempts.running.push(Box::pin(async move {
            // Without a result it was abandoned, and nobody waits; or it panicked.
            let lost = || Failure::new(Failure::LOST, "the attempt ended without a result");
            Some(answer.await.unwrap_or_else(|_| AttemptEnded {
                of,
                attempt,
                result: Err(lost()),
            }))
        }));
    }
}

/// The failure of an attempt that took too long.
pub(crate) fn timed_out(timeout: Duration) -> Failure {
    Failure::new(Failure::TIMEOUT, format!("no result within {timeout:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_attempt_goes_on_while_the_driver_waits_for_something_that_it_holds() {
        let (release, released) = oneshot::channel();
        let mut attempts = Attempts::default();
        attempts.running.push(Box::pin(async move {
            release.send(()).unwrap();
            let result = Ok(Payload::default());
            Some(AttemptEnded {
                of: 1,
                attempt: 1,
                result,
            })
        }));
        attempts.beside(released).await.unwrap();
        assert!(attempts.has_ended());
    }
}
