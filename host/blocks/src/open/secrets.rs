//! References to secrets in documents.

use super::{error, resolve::Fetched};
use crate::{
    backend::{Backend, Backends, Block, Opening},
    secrets::{SecretError, SecretFields, SecretStore},
};
use berth_resources::{
    Component, Diagnostic, MetadataItem, MetadataValue, Namespace, Secret, did_you_mean,
};
use std::{collections::HashMap, sync::Arc};

/// A document that may refer to secrets.
pub struct Referrer<'d> {
    /// The tenant.
    pub namespace: &'d Namespace,
    /// `auth.secretStore`.
    pub secret_store: Option<&'d str>,
    /// The document's own name if it is a Component: a secret store does not refer to itself.
    pub component: Option<&'d str>,
    /// What its values are called, such as `metadata`.
    pub noun: &'static str,
    /// Its values.
    pub items: Vec<&'d MetadataItem>,
}

impl<'d> From<&'d Component> for Referrer<'d> {
    fn from(component: &'d Component) -> Self {
        Self {
            namespace: &component.namespace,
            secret_store: component.secret_store.as_deref(),
            component: Some(&component.name),
            noun: "metadata",
            items: component.metadata.iter().collect(),
        }
    }
}

/// The values of the references of one document.
#[derive(Debug, Default)]
pub struct ReferencedSecrets(HashMap<(String, String), Secret>);

impl ReferencedSecrets {
    /// Reads them from the open secret stores.
    ///
    /// # Errors
    /// Every reference that leads nowhere, at its place.
    pub async fn read(
        referrer: &Referrer<'_>,
        components: &[Component],
        opened: &Backends,
    ) -> Result<Self, Vec<Diagnostic>> {
        let fetched = fetch(referrer, components, opened).await?;
        let values = fetched.into_iter().filter_map(|(place, secret)| {
            let MetadataValue::SecretRef { name, key } = &referrer.items.get(place)?.value else {
                return None;
            };
            Some(((name.clone(), key.clone()), secret))
        });
        Ok(Self(values.collect()))
    }

    /// A field of a secret that the document refers to.
    #[must_use]
    pub fn get(&self, name: &str, key: &str) -> Option<Secret> {
        self.0.get(&(name.to_owned(), key.to_owned())).cloned()
    }
}

/// The secret store that the references of a document mean: the one that it names, else the only other one of the
/// namespace. `None`: the document has no references.
pub(super) fn store_of<'c>(
    referrer: &Referrer<'c>,
    all: &'c [Component],
) -> Result<Option<&'c str>, Diagnostic> {
    let is_reference =
        |item: &&&MetadataItem| matches!(item.value, MetadataValue::SecretRef { .. });
    let Some(first) = referrer.items.iter().find(is_reference) else {
        return Ok(None);
    };
    let Referrer {
        namespace, noun, ..
    } = referrer;
    let stores: Vec<&str> = all
        .iter()
        .filter(|other| {
            other.namespace == **namespace && Block::of(&other.kind) == Some(Block::Secrets)
        })
        .map(|other| other.name.as_str())
        .filter(|name| Some(*name) != referrer.component)
        .collect();
    match (referrer.secret_store, stores[..].split_first()) {
        (Some(name), _) if stores.contains(&name) => Ok(Some(name)),
        (Some(name), _) => {
            let meant = did_you_mean(name, stores.iter().copied());
            let message = format!("no secret store `{name}` in namespace `{namespace}`{meant}");
            Err(error(&first.origin, message))
        }
        (None, Some((only, []))) => Ok(Some(only)),
        (None, None) => Err(error(
            &first.origin,
            format!(
                "{noun} `{}` refers to a secret, but namespace `{namespace}` has no secret store",
                first.name
            ),
        )),
        (None, Some(_)) => Err(Diagnostic {
            hint: Some(format!(
                "name one in `auth.secretStore`: {}",
                stores.join(", ")
            )),
            ..error(
                &first.origin,
                format!(
                    "{noun} `{}` refers to a secret, but namespace `{namespace}` has several stores",
                    first.name
                ),
            )
        }),
    }
}

/// Reads every secret that a document refers to.
pub(super) async fn fetch(
    referrer: &Referrer<'_>,
    all: &[Component],
    opened: &Backends,
) -> Result<Fetched, Vec<Diagnostic>> {
    let Some(name) = store_of(referrer, all).map_err(|finding| vec![finding])? else {
        return Ok(Fetched::new());
    };
    let backend = opened.find(referrer.namespace, name);
    let store = backend.map(|backend| store(backend));
    let mut fetched = Fetched::new();
    let mut findings = Vec::new();
    for (place, item) in referrer.items.iter().enumerate() {
        let MetadataValue::SecretRef { name: secret, key } = &item.value else {
            continue;
        };
        let read = match &store {
            Some(Ok(store)) => read(&**store, secret, key).await,
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("it is not open".to_owned()),
        };
        match read {
            Ok(value) => drop(fetched.insert(place, value)),
            Err(reason) => findings.push(error(
                &item.origin,
                format!(
                    "{} `{}`: secret `{secret}` of store `{name}`: {reason}",
                    referrer.noun, item.name
                ),
            )),
        }
    }
    if findings.is_empty() {
        Ok(fetched)
    } else {
        Err(findings)
    }
}

fn store(backend: &Backend) -> Result<Arc<dyn SecretStore>, String> {
    let opened = match &backend.opening {
        Opening::Shared(opened) => Some(opened),
        Opening::PerApp(_) => {
            return Err("the store differs from app to app, documents belong to no app".to_owned());
        }
        Opening::Failed(reason) => return Err(format!("the store is not open: {reason}")),
    };
    opened
        .and_then(|opened| opened.secrets.clone())
        .ok_or_else(|| "it is no secret store".to_owned())
}

async fn read(store: &dyn SecretStore, secret: &str, key: &str) -> Result<Secret, String> {
    let fields = match store.get(secret, &[]).await {
        Ok(fields) => fields,
        Err(SecretError::NotFound(reason)) => return Err(format!("not found: {reason}")),
        Err(error) => return Err(error.to_string()),
    };
    field(&fields, key).ok_or_else(|| {
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        format!("it has no field `{key}`, but {}", names.join(", "))
    })
}

/// The field, if the secret has it.
fn field(fields: &SecretFields, key: &str) -> Option<Secret> {
    fields.get(key).cloned()
}
