//! One attempt of an activity: an ordinary call, in a fresh instance.

use crate::{
    bindings::berth::exports::workflow as wit,
    failure::Failure as Stopped,
    guest::{Guest, classify},
    run::Run,
    spans,
};
use berth_blocks::{
    Caller, clock,
    workflow::{Failure, Payload},
};
use berth_workflow::ActivityTask;
use std::{sync::Arc, time::Instant};
use tokio::sync::oneshot;

/// Runs it.
pub(super) async fn run(guest: &Arc<Guest>, task: ActivityTask) -> Result<Payload, Failure> {
    let app = &guest.context.app;
    let (trace, span) = spans::activity(&guest.context, &task);
    let caller = Arc::new(Caller {
        namespace: app.namespace.clone(),
        app: app.id.clone(),
        trace,
        deadline: clock::instant() + app.limits.timeout,
    });
    check(guest, &task.name)?;
    match call(guest, caller.clone(), task).await {
        Ok(result) => {
            if result.is_err() {
                span.fail("activity", || "the activity failed".to_owned());
            }
            result
        }
        Err(stopped) => {
            span.fail(stopped.reason(), || stopped.reason().to_owned());
            guest.context.record(&stopped, &caller);
            let kind = match stopped {
                Stopped::WallTime | Stopped::CpuTime => Failure::TIMEOUT,
                Stopped::Overloaded | Stopped::Draining => Failure::OVERLOADED,
                _ => Failure::TRAP,
            };
            let text = format!("{} ({})", stopped.message(&app.limits), stopped.reason());
            Err(Failure::new(kind, text))
        }
    }
}

fn check(guest: &Guest, name: &str) -> Result<(), Failure> {
    let app = &guest.context.app.id;
    let unknown = |text: String| Err(Failure::new(Failure::UNKNOWN, text).non_retryable());
    if guest.exports.activities.is_none() {
        return unknown(format!("app \"{app}\" has no activities"));
    }
    match guest.registered.get() {
        Some(known) if !known.activities.iter().any(|activity| activity == name) => {
            unknown(format!(
                "app \"{app}\" has no activity `{name}`, but `{}`",
                known.activities.join("`, `")
            ))
        }
        _ => Ok(()),
    }
}

async fn call(
    guest: &Arc<Guest>,
    caller: Arc<Caller>,
    task: ActivityTask,
) -> Result<Result<Payload, Failure>, Stopped> {
    let Some(indices) = guest.exports.activities.clone() else {
        return Err(Stopped::NoResponse("it has no activities".to_owned()));
    };
    let context = &guest.context;
    let permit = context.gate.enter(caller.deadline).await?;
    let began = Instant::now();
    context.begin();
    let mut prepared = guest.prepare_alone(caller.clone(), context.blocks.clone())?;
    let cpu = prepared.store().data().meter.cpu.clone();
    let (send, receive) = oneshot::channel();
    let work = {
        let guest = guest.clone();
        async move {
            let mut ready = guest.ready(prepared).await?;
            let called = async {
                let activities = indices.load(&mut ready.store, &ready.instance)?;
                let name = task.name.clone();
                let input = task.input.clone().into();
                let store = &mut ready.store;
                activities
                    .call_run(store, &task.into(), &name, &input)
                    .await
            };
            let called = called.await;
            let result =
                called.map_err(|error| classify(&error, ready.store.data(), Stopped::Trap))?;
            let _ = send.send(result);
            Ok(())
        }
    };
    let ran = Run::new(Box::pin(work), cpu, caller.deadline, permit).await;
    context.took(began);
    ran?;
    let result = receive
        .await
        .map_err(|_| Stopped::NoResponse("no result".into()))?;
    Ok(result.map(Into::into).map_err(Into::into))
}

impl From<ActivityTask> for wit::activities::Task {
    fn from(task: ActivityTask) -> Self {
        Self {
            instance_id: task.key.id.to_string(),
            app_id: task.key.app.to_string(),
            task_id: task.task_id,
            attempt: task.attempt,
            idempotency_key: task.idempotency_key,
            metadata: Vec::new(),
        }
    }
}
