//! What a guest says that it has: `berth:workflow/registry`.

use crate::{LoadedApp, Runtime};
use berth_blocks::Backends;
use std::sync::Arc;

/// Names of the workflows and activities of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registered {
    /// Workflows, sorted.
    pub workflows: Vec<String>,
    /// Activities, sorted.
    pub activities: Vec<String>,
}

impl Runtime {
    /// Asks a guest for the names of its workflows and activities, and remembers them; nothing, if it does not say.
    ///
    /// # Errors
    /// The guest failed while it was asked, or names something that it cannot run.
    pub async fn ask_registry(
        &self,
        app: &LoadedApp,
        backends: &Arc<Backends>,
    ) -> Result<(), String> {
        let guest = app.guest();
        let Some(indices) = guest.exports.registry.clone() else {
            return Ok(());
        };
        let (workflows, activities) = self
            .ask(app, backends, move |ready| {
                Box::pin(async move {
                    let registry = indices.load(&mut ready.store, &ready.instance)?;
                    let workflows = registry.call_workflows(&mut ready.store).await?;
                    let activities = registry.call_activities(&mut ready.store).await?;
                    Ok((workflows, activities))
                })
            })
            .await?;
        let registered = Registered {
            workflows: sorted(workflows),
            activities: sorted(activities),
        };
        let exports = app.exports();
        if !exports.workflows && !registered.workflows.is_empty() {
            return Err("it names workflows, and does not export berth:workflow/workflows".into());
        }
        if !exports.activities && !registered.activities.is_empty() {
            return Err(
                "it names activities, and does not export berth:workflow/activities".into(),
            );
        }
        let _ = guest.registered.set(registered);
        Ok(())
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}
