//! `kind: Configuration` (dapr.io/v1alpha1): what applies to an app beyond its manifest.

use crate::{Namespace, Origin};

/// A configuration that an App names.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// `metadata.name`.
    pub name: String,
    /// The tenant.
    pub namespace: Namespace,
    /// `spec.secrets.scopes`.
    pub secret_scopes: Vec<SecretScope>,
    /// `spec.tracing`.
    pub tracing: Option<Tracing>,
    /// Given by `--config`: applies to every app of the namespace that names no configuration.
    pub by_default: bool,
    /// Where the document stands.
    pub origin: Origin,
}

/// Which secrets of one store an app may read. Order of the rules: a non-empty allow list decides alone, else the deny
/// list, else the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretScope {
    /// `storeName`.
    pub store: String,
    /// `defaultAccess`.
    pub default_access: DefaultAccess,
    /// `allowedSecrets`.
    pub allowed: Vec<String>,
    /// `deniedSecrets`.
    pub denied: Vec<String>,
}

/// What holds for a secret that no list names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultAccess {
    /// Readable.
    #[default]
    Allow,
    /// Not readable.
    Deny,
}

/// `spec.tracing`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tracing {
    /// Share of traces that are recorded, 0 to 1.
    pub sampling_rate: f64,
    /// Print spans to standard output.
    pub stdout: bool,
}
