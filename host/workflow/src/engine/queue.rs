//! Works off the task queue: activities of apps that this host serves, asked for by instances of any host.

use super::Shared;
use crate::{
    ActivityTask, Failure, Payload, codec,
    message::{Message, QueuedActivity},
};
use berth_blocks::workflow::{ClaimedTask, Timestamp};
use futures::{StreamExt, future::BoxFuture, future::select, stream::FuturesUnordered};
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Tasks that this host works on at the same time.
const TASKS_MAX: usize = 256;

/// How often a task is handed out before it counts as failed: it may be what ends its hosts.
const DELIVERIES_MAX: u32 = 3;

/// First pause before a result is stored again; doubles up to the lease.
const RETRY_FIRST: Duration = Duration::from_millis(200);

/// Claims tasks and runs them.
pub(super) async fn serve(shared: Arc<Shared>) {
    let mut running: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    loop {
        let places = TASKS_MAX - running.len().min(TASKS_MAX);
        for task in claim(&shared, places).await {
            let work = work(shared.clone(), task);
            // A task of its own, so that activities use all cores; dropped with this loop.
            let (done, ended) = tokio::sync::oneshot::channel::<()>();
            let spawned = shared.platform.spawn(Box::pin(async move {
                work.await;
                drop(done);
            }));
            running.push(Box::pin(async move {
                drop(ended.await);
                drop(spawned);
            }));
        }
        let poll = shared.platform.now().after(shared.config.poll_interval);
        let sleep = shared.platform.sleep_until(poll);
        let queued = pin!(shared.queued.notified());
        let wake = select(queued, sleep);
        if running.is_empty() {
            wake.await;
        } else {
            select(running.next(), wake).await;
        }
    }
}

async fn claim(shared: &Shared, limit: usize) -> Vec<ClaimedTask> {
    if limit == 0 || shared.stopping.load(Ordering::Relaxed) {
        return Vec::new();
    }
    let now = shared.platform.now();
    let until = now.after(shared.config.lease);
    let apps = shared.executor.apps();
    match shared.store.claim_tasks(&apps, now, until, limit).await {
        Ok(tasks) => tasks,
        Err(error) => {
            tracing::warn!(%error, "claiming activities");
            Vec::new()
        }
    }
}

/// Runs a task while its claim is kept, then stores its result.
async fn work(shared: Arc<Shared>, task: ClaimedTask) {
    let (queued, input) = match codec::decode::<QueuedActivity>(&task.body) {
        Ok((queued, input)) => (queued, input.unwrap_or_default()),
        Err(error) => {
            tracing::error!(instance = %task.id.key, %error, "a task that cannot be read");
            return;
        }
    };
    let attempt = queued.attempt;
    let execution = queued.execution.clone();
    let result = if task.deliveries > DELIVERIES_MAX {
        let text = format!(
            "{DELIVERIES_MAX} hosts ended while it ran; whether it had an effect is unknown"
        );
        Err(Failure::new(Failure::LOST, text))
    } else {
        let run = pin!(run(&shared, &task, queued, input));
        let lost = pin!(keep(&shared, &task));
        match select(run, lost).await {
            futures::future::Either::Left((result, _)) => result,
            // Somebody else has it.
            futures::future::Either::Right(_) => return,
        }
    };
    finish(&shared, &task, execution, attempt, result).await;
}

async fn run(
    shared: &Shared,
    task: &ClaimedTask,
    queued: QueuedActivity,
    input: Payload,
) -> Result<Payload, Failure> {
    let of = task.id.operation;
    let activity = ActivityTask {
        key: task.id.key.clone(),
        app: task.app.clone(),
        name: queued.name,
        input,
        task_id: of.to_string(),
        idempotency_key: format!("{}:{of}", queued.execution),
        attempt: queued.attempt,
        traceparent: queued.traceparent.as_deref().map(Into::into),
    };
    shared.reach("queued activity begins").await;
    let result = shared
        .run_activity(activity, queued.options.start_to_close)
        .await;
    shared.reach("queued activity ended").await;
    result
}

/// Keeps the claim; ends when it is lost.
async fn keep(shared: &Shared, task: &ClaimedTask) {
    let interval = shared.config.lease / 3;
    loop {
        let now = shared.platform.now();
        shared.platform.sleep_until(now.after(interval)).await;
        let until = shared.platform.now().after(shared.config.lease);
        let lost = shared
            .store
            .renew_tasks(std::slice::from_ref(&task.id), until)
            .await;
        if lost.is_ok_and(|lost| !lost.is_empty()) {
            return;
        }
    }
}

/// Stores a result, however long the store is away: doing it twice is harmless.
async fn finish(
    shared: &Shared,
    task: &ClaimedTask,
    execution: String,
    attempt: u32,
    result: Result<Payload, Failure>,
) {
    let (failure, payload) = match result {
        Ok(payload) => (None, Some(payload)),
        Err(failure) => (Some(failure), None),
    };
    let message = Message::AttemptEnded {
        execution,
        of: task.id.operation,
        attempt,
        failure,
    };
    let body = codec::encode(&message, payload.as_ref());
    let mut pause = RETRY_FIRST;
    loop {
        let at: Timestamp = shared.platform.now();
        let result = berth_blocks::workflow::Message {
            dedup: None,
            body: body.clone(),
            at,
        };
        let finished = shared.store.finish_task(&task.id, result).await;
        // Also after an error, which leaves open what happened.
        shared.message_sent(&task.id.key);
        match finished {
            Ok(_) => break,
            Err(error) => {
                tracing::warn!(instance = %task.id.key, %error, "storing the result of an activity");
                shared.platform.sleep_until(at.after(pause)).await;
                pause = (pause * 2).min(shared.config.lease);
            }
        }
    }
}
