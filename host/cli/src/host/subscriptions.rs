//! Which app receives which topic, and which of its paths the ingress must therefore keep to itself.

use super::guests::LoadedGuest;
use berth_blocks::PlannedSubscription;
use berth_resources::{App, Resources, Subscription};

/// The subscriptions of one app: those of documents, and those that it declares itself. A document wins over a
/// declaration for the same topic.
pub fn plan(resources: &Resources, guest: &LoadedGuest) -> Vec<PlannedSubscription> {
    let app = guest.loaded.app();
    let exports = guest.loaded.exports();
    if !exports.http && !exports.subscriber {
        return Vec::new();
    }
    let of_documents = resources
        .subscriptions
        .iter()
        .filter(|found| applies(found, app));
    let mut all: Vec<Subscription> = of_documents.cloned().collect();
    for declared in &guest.declared {
        let same =
            |known: &Subscription| known.pubsub == declared.pubsub && known.topic == declared.topic;
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

fn applies(subscription: &Subscription, app: &App) -> bool {
    subscription.namespace == app.namespace
        && (subscription.scopes.is_empty() || subscription.scopes.contains(&app.id))
}

/// Paths that messages are POSTed to: nobody outside may call them. A guest with a subscriber export gets its messages
/// another way, so all its paths are its own.
pub fn private_paths(guest: &LoadedGuest, plan: &[PlannedSubscription]) -> Vec<String> {
    if guest.loaded.exports().subscriber {
        return Vec::new();
    }
    let routes = plan.iter().flat_map(|planned| {
        let rules = planned
            .subscription
            .rules
            .iter()
            .map(|rule| rule.path.clone());
        rules.chain(planned.subscription.default_route.clone())
    });
    routes.collect()
}
