//! The code that the engine runs: guests in production, plain Rust in tests.

use crate::{Context, Failure, Payload};
use berth_blocks::workflow::{InstanceKey, Status, Timestamp};
use berth_resources::{AppId, Namespace};
use futures::future::BoxFuture;
use std::sync::Arc;

/// A workflow to be run, from its beginning: also when it is replayed.
#[derive(Debug, Clone)]
pub struct WorkflowRun {
    /// The instance.
    pub key: InstanceKey,
    /// Name of the workflow.
    pub name: String,
    /// Its input.
    pub input: Payload,
    /// W3C `traceparent` of the run.
    pub traceparent: Option<Arc<str>>,
    /// Digest of the code to run: what [`Executor::code`] chose.
    pub code: Option<String>,
}

/// How the code of a workflow ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkflowEnd {
    /// It returned a result.
    Completed(Payload),
    /// It returned an error.
    Failed(Failure),
    /// It did what no workflow may do, or trapped: the reason, for people, and on further lines where it stood. The
    /// instance waits for other code.
    Stalled(String),
    /// It could not be run here and now: the reason. The instance is tried again later.
    Unavailable(String),
}

/// One attempt of an activity.
#[derive(Debug, Clone)]
pub struct ActivityTask {
    /// The instance that asked for it.
    pub key: InstanceKey,
    /// The app that runs it.
    pub app: AppId,
    /// Name of the activity.
    pub name: String,
    /// Its input.
    pub input: Payload,
    /// Names the activity within the run of the instance.
    pub task_id: String,
    /// The same for all attempts of this activity, and for no other activity.
    pub idempotency_key: String,
    /// From 1.
    pub attempt: u32,
    /// W3C `traceparent` of the run that asked for it.
    pub traceparent: Option<Arc<str>>,
}

/// A run of a traced workflow that has ended: one of an instance that continues as new is a run of its own.
#[derive(Debug, Clone)]
pub struct EndedRun {
    /// The instance.
    pub key: InstanceKey,
    /// Name of the workflow.
    pub workflow: String,
    /// W3C `traceparent` of whoever started it.
    pub started_by: String,
    /// W3C `traceparent` of the run.
    pub traceparent: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// How it ended; `None`: it continues as new.
    pub status: Option<Status>,
}

/// Runs workflows and activities. One instance runs once at a time; activities run side by side.
pub trait Executor: Send + Sync + 'static {
    /// The apps that have workflows or activities here.
    fn apps(&self) -> Vec<(Namespace, AppId)>;

    /// Chooses the code of an instance, by digest, before it is run or replayed; `stored` is what was chosen last. It is
    /// stored with the next commit, so that [`Engine::codes`](crate::Engine::codes) knows what must be kept.
    fn code(&self, key: &InstanceKey, workflow: &str, stored: Option<&str>) -> Option<String> {
        let _ = (key, workflow);
        stored.map(str::to_owned)
    }

    /// Names of the workflows of an app, if they are known here.
    fn workflows(&self, namespace: &Namespace, app: &AppId) -> Option<Vec<String>> {
        let _ = (namespace, app);
        None
    }

    /// Runs a workflow. The future lives as long as this host owns the instance, and waits inside the methods of
    /// [`Context`]. It must do nothing but what its context offers, since it is run again from the beginning on another
    /// day or host. It is dropped when the instance is given up.
    ///
    /// A future that returns `Pending` without waiting in its context must arrange to be woken.
    fn run_workflow(&self, context: Context, run: WorkflowRun) -> BoxFuture<'static, WorkflowEnd>;

    /// Runs one attempt of an activity. Dropped when nobody waits for it any more.
    fn run_activity(&self, task: ActivityTask) -> BoxFuture<'static, Result<Payload, Failure>>;

    /// A run has ended, and that is stored. A host that ends in between never hears of it.
    fn run_ended(&self, run: EndedRun) {
        let _ = run;
    }
}
