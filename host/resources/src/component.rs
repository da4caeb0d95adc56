//! `kind: Component` (dapr.io/v1alpha1): a backend.

use crate::{AppId, Namespace, Origin, Secret};
use std::time::Duration;

/// A configured backend.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// `metadata.name`.
    pub name: String,
    /// The tenant.
    pub namespace: Namespace,
    /// `spec.type`.
    pub kind: ComponentType,
    /// Where `spec.type` stands: the place of errors about a type that no driver serves.
    pub type_origin: Origin,
    /// `spec.version`, `v1` if absent.
    pub version: String,
    /// `spec.metadata` in the order of the document.
    pub metadata: Vec<MetadataItem>,
    /// `auth.secretStore`: where `secretKeyRef` looks; absent: the only secret store of the namespace.
    pub secret_store: Option<String>,
    /// Apps that may use it; empty: all of the namespace.
    pub scopes: Vec<AppId>,
    /// How long opening it may take; Dapr's default is 5 s.
    pub init_timeout: Duration,
    /// The host starts even if this backend cannot be opened.
    pub ignore_errors: bool,
    /// Where the document stands.
    pub origin: Origin,
}

/// A type such as `state.redis`: the building block and the driver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentType(pub String);

impl ComponentType {
    /// The building block: `state` of `state.redis`.
    #[must_use]
    pub fn block(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

/// One entry of `spec.metadata`.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataItem {
    /// Name as written; compared without case.
    pub name: String,
    /// Value or reference.
    pub value: MetadataValue,
    /// Where the entry stands.
    pub origin: Origin,
}

/// Where the value of a metadata entry comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataValue {
    /// In the document; booleans and numbers as their text. Templates are not expanded yet.
    Plain(String),
    /// `secretKeyRef`: `key` defaults to `name`.
    SecretRef {
        /// Name of the secret.
        name: String,
        /// Field of the secret.
        key: String,
    },
    /// `envRef`, already looked up.
    Env(Secret),
}
