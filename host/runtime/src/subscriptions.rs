//! An app with what it says of itself; which topics it receives, and which of its paths the ingress must therefore keep
//! to itself.

use crate::{LoadedApp, Runtime};
use berth_blocks::{Backends, PlannedSubscription, invocation::Target};
use berth_resources::{App, Diagnostic, Severity, Subscription};
use std::sync::Arc;

/// An app that can be put into service: its guest is loaded, and was asked what it subscribes to and which workflows and
/// activities it has.
#[derive(Clone)]
pub struct Deployable {
    /// For calls.
    pub loaded: LoadedApp,
    /// Subscriptions that the guest declares in code.
    pub declared: Vec<Subscription>,
}

impl Runtime {
    /// Loads the guest of an app and asks it about itself. Nothing is swapped.
    ///
    /// # Errors
    /// All problems of this app at once, at the place where its document names the guest.
    pub async fn deployable(
        &self,
        app: &App,
        backends: &Arc<Backends>,
    ) -> Result<Deployable, Vec<Diagnostic>> {
        let loaded = self.load(app, backends).await;
        let loaded = loaded.map_err(|error| error.diagnostics().to_vec())?;
        let silent = |what: &str, why: String| {
            let message = format!("guest of app `{}` does not say {what}: {why}", app.id);
            vec![error(app, message)]
        };
        let declared = self.declared_subscriptions(&loaded, backends).await;
        let declared = declared.map_err(|why| silent("what it subscribes to", why))?;
        let registered = self.ask_registry(&loaded, backends).await;
        registered.map_err(|why| silent("which workflows and activities it has", why))?;
        Ok(Deployable { loaded, declared })
    }
}

impl Deployable {
    /// The identity of its app.
    #[must_use]
    pub fn target(&self) -> Target {
        self.loaded.app().into()
    }

    /// Its subscriptions: those of documents, and those that it declares itself. A document wins over a declaration for
    /// the same topic.
    #[must_use]
    pub fn plan(&self, documents: &[Subscription]) -> Vec<PlannedSubscription> {
        let app = self.loaded.app();
        let exports = self.loaded.exports();
        if !exports.http && !exports.subscriber {
            return Vec::new();
        }
        let of_documents = documents.iter().filter(|found| applies(found, app));
        let mut all: Vec<Subscription> = of_documents.cloned().collect();
        for declared in &self.declared {
            let same = |known: &Subscription| {
                known.pubsub == declared.pubsub && known.topic == declared.topic
            };
            if !all.iter().any(same) {
                all.push(declared.clone());
            }
        }
        if exports.subscriber {
            // Its export takes one message per call: waiting for a batch would gain nothing.
            for subscription in &mut all {
                subscription.bulk = None;
            }
        }
        let planned = all.into_iter().map(|subscription| PlannedSubscription {
            target: app.into(),
            concurrency: usize::try_from(app.limits.concurrency).unwrap_or(usize::MAX),
            body_max: app.limits.request_body.0,
            subscription,
        });
        planned.collect()
    }

    /// Paths that messages are POSTed to: nobody outside may call them. A guest with a subscriber export gets its
    /// messages another way, so all its paths are its own.
    #[must_use]
    pub fn private_paths(&self, plan: &[PlannedSubscription]) -> Vec<String> {
        if self.loaded.exports().subscriber {
            return Vec::new();
        }
        let routes = plan.iter().flat_map(|planned| {
            let subscription = &planned.subscription;
            let rules = subscription.rules.iter().map(|rule| rule.path.clone());
            rules.chain(subscription.default_route.clone())
        });
        routes.collect()
    }
}

fn applies(subscription: &Subscription, app: &App) -> bool {
    subscription.namespace == app.namespace
        && (subscription.scopes.is_empty() || subscription.scopes.contains(&app.id))
}

fn error(app: &App, message: String) -> Diagnostic {
    Diagnostic {
        origin: app.guest_origin.clone(),
        severity: Severity::Error,
        message,
        hint: None,
    }
}
