//! From Component documents to open backends.
//!
//! ```text
//! check: type, version, names and values, nothing opened ──▶ every finding at once
//! open:  secret stores in the order of their references ──▶ the others at once:
//!        templates and secrets resolved ──▶ driver ──▶ Backends
//! ```

mod check;
mod defaults;
mod opening;
mod order;
mod resolve;
mod rules;
mod secrets;
mod sharing;
pub(crate) mod templates;
#[cfg(test)]
mod tests;
mod workflows;

pub use check::check;
pub use defaults::embedded_defaults;
pub(crate) use opening::OpenedFrom;
pub use secrets::{ReferencedSecrets, Referrer};
pub(crate) use workflows::EmbeddedWorkflows;

use crate::{
    backend::Backends,
    registry::{Connections, Registry},
};
use berth_resources::{
    App, AppId, Component, Configuration, Diagnostic, Namespace, Origin, Resiliency, Severity,
};
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
    /// Apps without a guest: native programs that call through a door.
    pub native: Vec<(Namespace, AppId)>,
    /// For the secret scopes and the tracing of apps.
    pub configurations: Vec<Configuration>,
    /// Policies of calls and deliveries.
    pub resiliencies: Vec<Resiliency>,
}

impl OpenPlan {
    /// Every app, with a guest or without.
    pub(crate) fn callers(&self) -> impl Iterator<Item = (&Namespace, &AppId)> {
        let guests = self.apps.iter().map(|app| (&app.namespace, &app.id));
        let native = self.native.iter().map(|(namespace, app)| (namespace, app));
        guests.chain(native)
    }
}

/// Opens every backend. With an error among the findings the set must not be used. Backends of `before` whose
/// document, secrets and files are unchanged stay open and are used again, and so do circuit breakers.
///
/// It expects documents that passed [`check`]; what is wrong nevertheless is reported, not ignored.
pub async fn open(
    components: &[Component],
    registry: &Registry,
    plan: &OpenPlan,
    before: Option<&Backends>,
) -> (Backends, Vec<Diagnostic>) {
    let mut opening = opening::Opening::new(components, registry, plan, before);
    opening.secret_stores().await;
    opening.others().await;
    opening.resolve_tracing().await;
    opening.finish()
}

/// Checks that every secret that a document refers to can be read. Opens the secret stores and nothing else.
pub async fn check_secrets(
    components: &[Component],
    registry: &Registry,
    plan: &OpenPlan,
) -> Vec<Diagnostic> {
    let mut opening = opening::Opening::new(components, registry, plan, None);
    opening.secret_stores().await;
    opening.resolve_others().await;
    opening.resolve_tracing().await;
    opening.finish().1
}

fn error(origin: &Origin, message: String) -> Diagnostic {
    Diagnostic {
        origin: origin.clone(),
        severity: Severity::Error,
        message,
        hint: None,
    }
}

fn warning(origin: &Origin, message: String) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        ..error(origin, message)
    }
}
