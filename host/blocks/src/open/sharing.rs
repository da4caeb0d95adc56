//! Tenants that would meet in one engine: the same server, and keys or groups named by an app ID that both have.

use super::error;
use crate::{
    backend::{Backend, Backends, Block},
    keys::KeyPrefix,
};
use berth_resources::{AppId, Component, Diagnostic, Namespace, Origin};

/// Refuses each second one of two backends of different namespaces that no name keeps apart.
pub(super) fn check(
    components: &[Component],
    backends: &Backends,
    apps: &[(&Namespace, &AppId)],
) -> Vec<Diagnostic> {
    let all = backends.list();
    let mut findings = Vec::new();
    for (place, second) in all.iter().enumerate() {
        let first = all.iter().take(place).find(|first| meet(first, second));
        let app = first.and_then(|first| common_app(first, second, apps));
        if let (Some(first), Some(app)) = (first, app) {
            findings.push(finding(origin(components, second), first, second, app));
        }
    }
    findings
}

/// Whether both use one engine under names that do not tell the namespaces apart.
fn meet(first: &Backend, second: &Backend) -> bool {
    let named_by_app = |backend: &Backend| match Block::of(&backend.kind) {
        Some(Block::State) => backend.key_prefix == KeyPrefix::AppId,
        Some(Block::PubSub) => backend.consumer_id.is_none() && backend.topic_prefix.is_empty(),
        _ => false,
    };
    first.namespace != second.namespace
        && first.kind == second.kind
        && named_by_app(first)
        && named_by_app(second)
        // Without values a driver keeps its data in the directory of the namespace, or in memory.
        && first.opened_from.names_an_engine()
        && first.opened_from.values == second.opened_from.values
}

fn common_app<'a>(
    first: &Backend,
    second: &Backend,
    apps: &[(&Namespace, &'a AppId)],
) -> Option<&'a AppId> {
    let uses = |backend: &Backend, app: &AppId| {
        backend.visible_to(app)
            && apps
                .iter()
                .any(|own| *own.0 == backend.namespace && own.1 == app)
    };
    apps.iter()
        .map(|(_, app)| *app)
        .find(|app| uses(first, app) && uses(second, app))
}

fn origin(components: &[Component], backend: &Backend) -> Origin {
    let document = components
        .iter()
        .find(|own| own.name == *backend.name && own.namespace == backend.namespace);
    document.map_or_else(Origin::defaults, |document| document.origin.clone())
}

fn finding(origin: Origin, first: &Backend, second: &Backend, app: &AppId) -> Diagnostic {
    let (what, hint) = match Block::of(&second.kind) {
        Some(Block::PubSub) => (
            "consumer group",
            "set `consumerID: \"{namespace}\"` in both",
        ),
        _ => ("keys", "set `keyPrefix: namespace` in both"),
    };
    let message = format!(
        "backend \"{}\" of namespace `{}` shares its server with \"{}\" of namespace `{}`, and the {what} of app \
         `{app}` would be the same",
        second.name, second.namespace, first.name, first.namespace
    );
    Diagnostic {
        hint: Some(hint.to_owned()),
        ..error(&origin, message)
    }
}
