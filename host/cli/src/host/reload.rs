//! A change of documents or guests: checked and prepared completely, then put into service without a gap.

use super::{Documents, deployment::Prepared, guests::LoadedGuest, running::Running, versions};
use crate::failure::Failure;
use berth_blocks::{invocation::Target, registry::InputFile};
use berth_runtime::LoadedApp;
use std::time::{Duration, Instant};

/// A request that has just read the old routes gets this long to reach its app, before an app that is gone goes.
const HANDOVER: Duration = Duration::from_millis(100);

/// What became of a change.
pub enum Outcome {
    /// Nothing that matters is different.
    Unchanged,
    /// In service.
    Swapped {
        /// Apps whose guest was loaded anew.
        loaded: Vec<String>,
        /// From the change to service.
        took: Duration,
    },
    /// Wrong: what ran before keeps running.
    Refused(Failure),
}

impl Running {
    /// Reads everything again and puts it into service if it is different and right.
    pub async fn reload(&mut self) -> Outcome {
        let began = Instant::now();
        let documents = Documents::read(self.sources(), &self.workshop.registry);
        if documents.has_errors() {
            return Outcome::Refused(Failure::Findings(documents.findings));
        }
        if documents.resources.apps.is_empty() {
            return Outcome::Refused(Failure::input_text("no document of kind App is left"));
        }
        if self.is_current(&documents) {
            return Outcome::Unchanged;
        }
        let prepared = self
            .workshop
            .prepare(documents, Some(&self.deployment))
            .await;
        let Prepared {
            deployment,
            backends,
            routes,
            mut fleet,
        } = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => return Outcome::Refused(failure),
        };
        versions::replace(&self.workshop, &self.deployment, &deployment).await;
        self.workshop.blocks.swap(backends);
        self.workshop.fleet.apply(&mut fleet);
        let runtime = &self.workshop.runtime;
        let apps = deployment.apps();
        let leaving = self.leaving(&apps);
        let loaded = self.loaded_anew(&deployment.guests);
        // Both sides of the hand-over exist while routes and subscriptions change over.
        runtime.swap(
            apps.iter()
                .cloned()
                .chain(leaving.iter().cloned())
                .collect(),
        );
        self.doors.ingress.swap(routes);
        if let Some(neighbours) = &mut self.doors.neighbours {
            neighbours.change(fleet).await;
        }
        self.deliveries.reconcile(deployment.plan.clone()).await;
        if !leaving.is_empty() {
            tokio::time::sleep(HANDOVER).await;
            runtime.swap(apps);
        }
        let changed = loaded.iter();
        let changed: Vec<_> = changed
            .map(|app| (app.namespace.clone(), app.app.clone()))
            .collect();
        self.deployment = deployment;
        self.workshop
            .set_workflow_limits(&self.deployment.documents.resources);
        self.workshop.engines.reconcile(&changed).await;
        Outcome::Swapped {
            loaded: loaded.iter().map(|app| app.app.to_string()).collect(),
            took: began.elapsed(),
        }
    }

    fn is_current(&self, documents: &Documents) -> bool {
        let files = self.workshop.blocks.snapshot().files();
        documents.resources == self.deployment.documents.resources
            && self
                .deployment
                .guests
                .iter()
                .all(|guest| guest.is_current())
            && files.iter().all(InputFile::is_current)
    }

    /// Apps that run and are not part of the new deployment.
    fn leaving(&self, apps: &[LoadedApp]) -> Vec<LoadedApp> {
        let stays = |one: &LoadedApp| {
            let same = |other: &LoadedApp| {
                (&one.app().namespace, &one.app().id) == (&other.app().namespace, &other.app().id)
            };
            apps.iter().any(same)
        };
        let running = self.deployment.apps().into_iter();
        running.filter(|app| !stays(app)).collect()
    }

    /// Apps of the new deployment whose guest is not one that runs already.
    fn loaded_anew(&self, guests: &[LoadedGuest]) -> Vec<Target> {
        let running = &self.deployment.guests;
        let is_known = |guest: &LoadedGuest| running.iter().any(|one| one.is_made_like(guest));
        let new = guests.iter().filter(|guest| !is_known(guest));
        new.map(LoadedGuest::target).collect()
    }
}
