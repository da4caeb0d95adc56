//! Which backend keeps the workflow instances of a namespace: as in Dapr the state store with `actorStateStore: "true"`,
//! and where there is none the embedded one.

use super::{OpenPlan, error};
use crate::{
    backend::{Backend, Backends, Block, Failure, Opening, WorkflowBackend},
    registry::{Connections, Metadata, Open, OpenContext, Opened, Registry, metadata::truthy},
};
use berth_resources::{Component, Diagnostic, MetadataItem, MetadataValue, Namespace, Origin};
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// The entry by which a state store is chosen.
pub(super) const ENTRY: &str = "actorStateStore";
/// Name and type of the embedded store, which lies in the file of the embedded state.
const EMBEDDED: (&str, &str) = ("statestore", "state.sqlite");
/// How long opening it may take: Dapr's default of `initTimeout`.
const INIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the embedded store for namespaces that choose no other, when somebody first asks for it: a host without
/// workflows has no file for them.
pub(crate) struct EmbeddedWorkflows {
    /// The driver's; absent: this build has none.
    open: Option<Arc<Open>>,
    data_dir: PathBuf,
    connections: Connections,
    /// Stay open as long as the host, so that a reload finds the same ones.
    opened: Mutex<HashMap<Namespace, WorkflowBackend>>,
}

impl EmbeddedWorkflows {
    pub(super) fn new(registry: &Registry, plan: &OpenPlan) -> Self {
        Self {
            open: registry
                .driver(EMBEDDED.1)
                .map(|driver| driver.open.clone()),
            data_dir: plan.data_dir.clone(),
            connections: plan.connections.clone(),
            opened: Mutex::default(),
        }
    }

    pub(crate) async fn backend(&self, namespace: &Namespace) -> Result<WorkflowBackend, Failure> {
        // Held while one is opened, so that nobody opens a second one.
        let mut opened = self.opened.lock().await;
        if let Some(known) = opened.get(namespace) {
            return Ok(known.clone());
        }
        let backend = self.open(namespace).await.map_err(|why| {
            Failure::from(format!("opening the embedded store of workflows: {why}"))
        })?;
        opened.insert(namespace.clone(), backend.clone());
        Ok(backend)
    }

    async fn open(&self, namespace: &Namespace) -> Result<WorkflowBackend, String> {
        let (name, kind) = EMBEDDED;
        let open = self.open.as_ref().ok_or_else(|| {
            format!("this build has no {kind}: give a state store `{ENTRY}: \"true\"`")
        })?;
        let data_dir = self.data_dir.join(namespace.as_str());
        std::fs::create_dir_all(&data_dir)
            .map_err(|cause| format!("creating the directory {}: {cause}", data_dir.display()))?;
        let context = OpenContext {
            name: name.to_owned(),
            namespace: namespace.clone(),
            data_dir,
            apps: Vec::new(),
            connections: self.connections.clone(),
        };
        let opened = tokio::time::timeout(INIT_TIMEOUT, open(context, Metadata::new())).await;
        let opened = opened.map_err(|_| format!("not done within {INIT_TIMEOUT:?}"))?;
        let opened = opened.map_err(|error| error.to_string())?;
        let backend = Backend::open_to_all(name, namespace.clone(), kind, opened);
        WorkflowBackend::of(&backend).map_err(|why| why.to_string())
    }
}

/// Documents that are the second in their namespace to be chosen, by what is known without secrets.
pub(super) fn check(components: &[Component]) -> Vec<Diagnostic> {
    second_ones(components, is_chosen)
}

/// Whether a document is chosen, as far as that is known without secrets.
pub(super) fn is_chosen(component: &Component) -> bool {
    let text = item(component).map(|item| match &item.value {
        MetadataValue::Plain(text) => text.as_str(),
        MetadataValue::Env(text) => text.reveal(),
        MetadataValue::SecretRef { .. } => "",
    });
    text.and_then(truthy) == Some(true)
}

/// The same by what is open; and documents that are chosen and can keep no workflows.
pub(super) fn check_opened(components: &[Component], backends: &Backends) -> Vec<Diagnostic> {
    let find = |component: &Component| backends.find(&component.namespace, &component.name);
    let mut findings = second_ones(components, |component| {
        find(component).is_some_and(|backend| backend.keeps_workflows)
    });
    let chosen = components
        .iter()
        .filter_map(|component| Some((component, find(component)?)))
        .filter(|(_, backend)| backend.keeps_workflows);
    findings.extend(chosen.filter_map(|(component, backend)| unable(component, backend)));
    findings
}

fn second_ones(
    components: &[Component],
    is_chosen: impl Fn(&Component) -> bool,
) -> Vec<Diagnostic> {
    let chosen: Vec<_> = components
        .iter()
        .filter(|component| Block::of(&component.kind) == Some(Block::State))
        .filter(|component| is_chosen(component))
        .collect();
    let of = |(place, second): (usize, &&Component)| {
        let mut before = chosen.iter().take(place);
        let first = before.find(|first| first.namespace == second.namespace)?;
        Some(Diagnostic {
            hint: Some("all workflows of a namespace have one store".to_owned()),
            ..error(
                place_of(second),
                format!(
                    "metadata `{ENTRY}`: backends \"{}\" ({}) and \"{}\" both keep the workflows of namespace `{}`",
                    first.name,
                    place_of(first),
                    second.name,
                    second.namespace
                ),
            )
        })
    };
    chosen.iter().enumerate().filter_map(of).collect()
}

/// Why an open backend cannot keep workflows.
fn unable(component: &Component, backend: &Backend) -> Option<Diagnostic> {
    let why = match &backend.opening {
        Opening::Shared(Opened {
            workflows: Some(_), ..
        })
        | Opening::Failed(_) => return None,
        Opening::Shared(_) => format!("{} keeps no workflows", backend.kind.0),
        Opening::PerApp(_) => {
            "the apps of a namespace share their workflows, but other metadata names the app"
                .to_owned()
        }
    };
    Some(error(
        place_of(component),
        format!("metadata `{ENTRY}`: {why}"),
    ))
}

fn item(component: &Component) -> Option<&MetadataItem> {
    super::resolve::item(component, ENTRY)
}

fn place_of(component: &Component) -> &Origin {
    item(component).map_or(&component.origin, |item| &item.origin)
}
