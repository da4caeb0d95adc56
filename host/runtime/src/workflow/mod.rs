//! Workflows and activities in guests: the executor of the durable engine.
//!
//! A workflow runs in an instance of its own, for as long as this host owns it, and waits, alive, inside a call of
//! `context`. An activity is an ordinary call into the guest.

mod activity;
mod deterministic;
mod link;
mod places;
mod registry;
mod run;
mod versions;

pub(crate) use deterministic::{Clock, Seeded};
pub(crate) use link::{linker, workflow_pre};
pub(crate) use places::Places;
pub use registry::Registered;
pub(crate) use versions::Versions;

use crate::{Runtime, spans};
use berth_blocks::{
    invocation::Target,
    workflow::{Failure, InstanceKey, Payload},
};
use berth_resources::{AppId, Namespace};
use berth_workflow::{ActivityTask, Context, EndedRun, Executor, WorkflowEnd, WorkflowRun};
use futures::future::{BoxFuture, FutureExt};

impl Executor for Runtime {
    fn apps(&self) -> Vec<(Namespace, AppId)> {
        let apps = self.apps().into_iter();
        let with_code = apps.filter(|app| {
            let exports = app.exports();
            exports.workflows || exports.activities
        });
        with_code
            .map(|app| (app.app().namespace.clone(), app.app().id.clone()))
            .collect()
    }

    fn code(&self, key: &InstanceKey, _workflow: &str, stored: Option<&str>) -> Option<String> {
        self.version_for(key, stored)
    }

    fn workflows(&self, namespace: &Namespace, app: &AppId) -> Option<Vec<String>> {
        let app = self.app(&target(namespace, app))?;
        let registered = app.guest().registered.get()?;
        Some(registered.workflows.clone())
    }

    fn run_workflow(&self, context: Context, run: WorkflowRun) -> BoxFuture<'static, WorkflowEnd> {
        let target = target(&run.key.namespace, &run.key.app);
        let app = self.version(&target, run.code.as_deref());
        let places = self.places().clone();
        async move {
            match app {
                Some(app) => run::run(app.guest().clone(), places, context, run).await,
                None => WorkflowEnd::Unavailable("the app is not on this host any more".to_owned()),
            }
        }
        .boxed()
    }

    fn run_activity(&self, task: ActivityTask) -> BoxFuture<'static, Result<Payload, Failure>> {
        let app = self.app(&target(&task.key.namespace, &task.app));
        async move {
            match app {
                Some(app) => activity::run(app.guest(), task).await,
                None => Err(Failure::new(
                    Failure::OVERLOADED,
                    format!("app \"{}\" is not on this host any more", task.app),
                )),
            }
        }
        .boxed()
    }

    fn run_ended(&self, run: EndedRun) {
        if let Some(app) = self.app(&target(&run.key.namespace, &run.key.app)) {
            spans::workflow(&app.guest().context, &run);
        }
    }
}

fn target(namespace: &Namespace, app: &AppId) -> Target {
    Target {
        namespace: namespace.clone(),
        app: app.clone(),
    }
}
