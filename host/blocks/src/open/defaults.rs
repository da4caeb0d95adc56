//! Backends where the user gave none.

use crate::backend::Block;
use berth_resources::{Component, ComponentType, Namespace, Origin};
use std::time::Duration;

/// Name and type for each block, the names those that `dapr init` gives.
const DEFAULTS: [(Block, &str, &str); 3] = [
    (Block::State, "statestore", "state.sqlite"),
    (Block::PubSub, "pubsub", "pubsub.sqlite"),
    (Block::Secrets, "secretstore", "secretstores.local.env"),
];

/// Dapr's default of `initTimeout`.
const INIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Backends for the blocks that have none at all in this namespace. A name that is taken by a backend of another
/// block is left alone.
#[must_use]
pub fn embedded_defaults(namespace: &Namespace, components: &[Component]) -> Vec<Component> {
    let own: Vec<_> = components
        .iter()
        .filter(|component| &component.namespace == namespace)
        .collect();
    let missing = DEFAULTS.iter().filter(|(block, name, _)| {
        !own.iter()
            .any(|component| Block::of(&component.kind) == Some(*block) || component.name == *name)
    });
    missing
        .map(|(_, name, kind)| Component {
            name: (*name).to_owned(),
            namespace: namespace.clone(),
            kind: ComponentType((*kind).to_owned()),
            type_origin: Origin::defaults(),
            version: "v1".to_owned(),
            metadata: Vec::new(),
            secret_store: None,
            scopes: Vec::new(),
            init_timeout: INIT_TIMEOUT,
            ignore_errors: false,
            origin: Origin::defaults(),
        })
        .collect()
}
