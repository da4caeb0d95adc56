//! From the entries of a document to values: names in the driver's spelling, references replaced, templates expanded.

use super::{rules, templates};
use crate::{
    backend::Block,
    registry::{Driver, Metadata},
};
use berth_resources::{
    AppId, Component, MetadataItem, MetadataValue, Namespace, Secret, depends_on_app,
    uses_namespace,
};
use std::collections::HashMap;

/// The values of a document, apart by who reads them.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Parts {
    /// For the driver; templates that name the app are not expanded yet.
    pub(super) driver: Metadata,
    /// For berth itself; a consumer ID keeps its templates, since groups are made per app.
    pub(super) rules: rules::Values,
}

/// Values of references, by the place of their entry in the document.
pub(super) type Fetched = HashMap<usize, Secret>;

/// The entry with this name, whatever its case.
pub(super) fn item<'c>(component: &'c Component, name: &str) -> Option<&'c MetadataItem> {
    component
        .metadata
        .iter()
        .find(|item| item.name.eq_ignore_ascii_case(name))
}

/// The entry of a driver's field, under whichever of its names.
pub(super) fn field<'c>(
    component: &'c Component,
    driver: &Driver,
    name: &str,
) -> Option<&'c MetadataItem> {
    let aliases = || {
        let entry = (driver.names)()
            .into_iter()
            .find(|entry| entry.name == name);
        let mut aliases = entry.into_iter().flat_map(|entry| entry.aliases);
        aliases.find_map(|alias| item(component, &alias))
    };
    item(component, name).or_else(aliases)
}

/// Values with every reference in place.
pub(super) fn with_secrets(component: &Component, driver: &Driver, fetched: &Fetched) -> Parts {
    parts(component, driver, |place| {
        fetched.get(&place).map(|secret| secret.reveal().to_owned())
    })
}

/// Values for a check: what stands in a secret is not known, only that there is something.
pub(super) fn without_secrets(component: &Component, driver: &Driver) -> Parts {
    parts(component, driver, |_| Some("secret".to_owned()))
}

fn parts(
    component: &Component,
    driver: &Driver,
    secret: impl Fn(usize) -> Option<String>,
) -> Parts {
    let own = driver.metadata_names();
    let block = Block::of(&component.kind);
    let mut parts = Parts::default();
    for (place, item) in component.metadata.iter().enumerate() {
        let text = match &item.value {
            MetadataValue::Plain(text) => Some(text.clone()),
            MetadataValue::Env(secret) => Some(secret.reveal().to_owned()),
            MetadataValue::SecretRef { .. } => secret(place),
        };
        let Some(text) = text else { continue };
        if let Some((name, _)) = block.and_then(|block| rules::entry(block, &item.name)) {
            parts.rules.insert(name, text.clone());
        }
        if let Some(name) = own
            .iter()
            .find(|name| name.eq_ignore_ascii_case(&item.name))
        {
            parts.driver.insert(name.clone(), text.into());
        }
    }
    parts
}

/// Whether the driver's values name the app, so that each app needs a connection of its own.
pub(super) fn per_app(parts: &Parts) -> bool {
    parts
        .driver
        .values()
        .filter_map(|value| value.as_str())
        .any(depends_on_app)
}

/// The driver's values for one app, or for all.
pub(super) fn expanded(parts: &Parts, namespace: &Namespace, app: Option<&AppId>) -> Metadata {
    let expand = |text: &str| match app {
        Some(app) => templates::expand_app(text, namespace, app),
        None => templates::expand_shared(text),
    };
    let entries = parts.driver.iter().map(|(name, value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.clone(), |text| expand(text).into());
        (name.clone(), value)
    });
    entries.collect()
}

/// As in Dapr, `{namespace}` in any value puts the namespace before every topic.
pub(super) fn topic_prefix(component: &Component) -> String {
    let uses = component.metadata.iter().any(|item| match &item.value {
        MetadataValue::Plain(text) => uses_namespace(text),
        MetadataValue::Env(_) | MetadataValue::SecretRef { .. } => false,
    });
    if uses {
        component.namespace.to_string()
    } else {
        String::new()
    }
}
