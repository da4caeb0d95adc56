//! From Component documents to open backends.
//!
//! ```text
//! check: type, version, names and values, nothing opened ──▶ every finding at once
//! open:  templates ──▶ secrets ──▶ driver ──▶ Backends
//! ```

pub(crate) mod templates;

use crate::{
    backend::Backends,
    registry::{Connections, Registry},
};
use berth_resources::{App, Component, Configuration, Diagnostic, Namespace};
use std::path::PathBuf;

/// What opening needs besides the documents.
#[derive(Debug, Clone)]
pub struct OpenPlan {
    /// `--data-dir`; each namespace has a directory of its own below it.
    pub data_dir: PathBuf,
    /// Connections that several backends share; keep it over a reload.
    pub connections: Connections,
    /// Every app of the host.
    pub apps: Vec<App>,
    /// For the secret scopes of apps.
    pub configurations: Vec<Configuration>,
}

/// Checks documents against the drivers without opening anything.
#[must_use]
pub fn check(_components: &[Component], _registry: &Registry) -> Vec<Diagnostic> {
    Vec::new()
}

/// Opens every backend. With an error among the findings the set must not be used. Unchanged documents of `before`
/// keep their open backend.
pub async fn open(
    _components: &[Component],
    _registry: &Registry,
    _plan: &OpenPlan,
    _before: Option<&Backends>,
) -> (Backends, Vec<Diagnostic>) {
    (Backends::default(), Vec::new())
}

/// Backends for the blocks that have none at all in this namespace, under the names that `dapr init` gives.
#[must_use]
pub fn embedded_defaults(_namespace: &Namespace, _components: &[Component]) -> Vec<Component> {
    Vec::new()
}
