//! The runtime, with a mark on every call into a guest, so that what it asks for is known to be its own.

use crate::{probe::SharedProbe, site::Work};
use async_trait::async_trait;
use berth_blocks::{
    Deliver, Delivery, DeliveryOutcome,
    invocation::Target,
    workflow::{Failure, InstanceKey, Payload},
};
use berth_resources::{AppId, Namespace};
use berth_runtime::Runtime;
use berth_workflow::{ActivityTask, Context, EndedRun, Executor, WorkflowEnd, WorkflowRun};
use futures::future::BoxFuture;
use std::sync::Arc;

/// What the host says of a guest that was killed.
const KILLED: &str = "the guest failed (trap)";

/// Guests as deliveries and workflows call them.
pub(crate) struct Guests {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) probe: SharedProbe,
}

#[async_trait]
impl Deliver for Guests {
    async fn deliver(&self, target: &Target, delivery: Delivery) -> DeliveryOutcome {
        let call = self.runtime.deliver(target, delivery);
        let sites = &self.probe.sites;
        let done = sites.within(&target.app, Work::Message, call).await;
        done.unwrap_or_else(|| DeliveryOutcome::Retry(KILLED.to_owned()))
    }

    async fn deliver_batch(&self, target: &Target, batch: Vec<Delivery>) -> Vec<DeliveryOutcome> {
        let count = batch.len();
        let call = self.runtime.deliver_batch(target, batch);
        let sites = &self.probe.sites;
        let done = sites.within(&target.app, Work::Message, call).await;
        done.unwrap_or_else(|| vec![DeliveryOutcome::Retry(KILLED.to_owned()); count])
    }
}

impl Executor for Guests {
    fn apps(&self) -> Vec<(Namespace, AppId)> {
        Executor::apps(&*self.runtime)
    }

    fn code(&self, key: &InstanceKey, workflow: &str, stored: Option<&str>) -> Option<String> {
        self.runtime.code(key, workflow, stored)
    }

    fn workflows(&self, namespace: &Namespace, app: &AppId) -> Option<Vec<String>> {
        self.runtime.workflows(namespace, app)
    }

    fn run_workflow(&self, context: Context, run: WorkflowRun) -> BoxFuture<'static, WorkflowEnd> {
        self.runtime.run_workflow(context, run)
    }

    fn run_activity(&self, task: ActivityTask) -> BoxFuture<'static, Result<Payload, Failure>> {
        let probe = self.probe.clone();
        let app = task.app.clone();
        let call = self.runtime.run_activity(task);
        Box::pin(async move {
            let done = probe.sites.within(&app, Work::Activity, call).await;
            done.unwrap_or_else(|| Err(Failure::new(Failure::TRAP, KILLED)))
        })
    }

    fn run_ended(&self, run: EndedRun) {
        self.runtime.run_ended(run);
    }
}
