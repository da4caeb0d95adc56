//! Which drivers there are, and how a Component document becomes an open backend.

mod input_file;
pub mod metadata;

pub use input_file::InputFile;

use crate::{pubsub::PubSub, secrets::SecretStore, state::StateStore, workflow::WorkflowStore};
use berth_resources::{AppId, Namespace};
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::{any::Any, collections::BTreeMap, future::Future, path::PathBuf, sync::Arc};

/// What a backend offers. One connection may serve several blocks.
#[derive(Clone, Default)]
pub struct Opened {
    /// State.
    pub state: Option<Arc<dyn StateStore>>,
    /// Pub/sub.
    pub pubsub: Option<Arc<dyn PubSub>>,
    /// Secrets.
    pub secrets: Option<Arc<dyn SecretStore>>,
    /// Workflow instances, beside the state of the same connection.
    pub workflows: Option<Arc<dyn WorkflowStore>>,
    /// Files that were read to open it: when one of them changes, the host opens the backend again.
    pub files: Vec<InputFile>,
}

impl Opened {
    /// A backend that offers state.
    pub fn state(store: impl StateStore) -> Self {
        Self {
            state: Some(Arc::new(store)),
            ..Self::default()
        }
    }

    /// A backend that offers pub/sub.
    pub fn pubsub(broker: impl PubSub) -> Self {
        Self {
            pubsub: Some(Arc::new(broker)),
            ..Self::default()
        }
    }

    /// A backend that offers secrets.
    pub fn secrets(store: impl SecretStore) -> Self {
        Self {
            secrets: Some(Arc::new(store)),
            ..Self::default()
        }
    }

    /// Whether opening it again would find the same files.
    pub(crate) fn is_current(&self) -> bool {
        self.files.iter().all(InputFile::is_current)
    }
}

/// What a driver may need besides its metadata.
#[derive(Debug, Clone)]
pub struct OpenContext {
    /// Name of the Component document.
    pub name: String,
    /// Its tenant.
    pub namespace: Namespace,
    /// Directory for embedded data of this namespace: `<data-dir>/<namespace>`. Exists.
    pub data_dir: PathBuf,
    /// Apps of the host, when the backend is private to one; empty: shared.
    pub apps: Vec<AppId>,
    /// Connections that several backends share, by identity such as the path of a SQLite file.
    pub connections: Connections,
}

/// Why a backend could not be opened: a chain that ends in what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// One metadata entry is wrong.
    #[error("metadata `{field}`: {message}")]
    Metadata {
        /// Name of the entry.
        field: String,
        /// What was expected.
        message: String,
    },
    /// The engine refused or cannot be reached.
    #[error("{0}")]
    Backend(String),
}

/// Shared connections by identity. Weak: the last backend that uses one closes it.
#[derive(Clone, Default)]
pub struct Connections(
    Arc<parking_lot::Mutex<BTreeMap<String, std::sync::Weak<dyn Any + Send + Sync>>>>,
);

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.lock().keys()).finish()
    }
}

impl Connections {
    /// The connection with this identity, opened by `open` if nobody has it.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn shared<T: Send + Sync + 'static, E>(
        &self,
        identity: &str,
        open: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut connections = self.0.lock();
        let existing = connections.get(identity).and_then(std::sync::Weak::upgrade);
        if let Some(connection) = existing.and_then(|any| any.downcast::<T>().ok()) {
            return Ok(connection);
        }
        let connection = Arc::new(open()?);
        let any: Arc<dyn Any + Send + Sync> = connection.clone();
        connections.insert(identity.to_owned(), Arc::downgrade(&any));
        Ok(connection)
    }
}

/// Metadata of a Component, ready for a driver: names in the driver's spelling, values resolved, secrets included.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// Opens a backend from resolved metadata.
pub type Open =
    dyn Fn(OpenContext, Metadata) -> BoxFuture<'static, Result<Opened, OpenError>> + Send + Sync;

/// How the doc comment of a metadata field begins that exists for Dapr's documents only. What follows is the warning.
pub const NO_EFFECT: &str = "No effect:";

/// One driver: the code behind a backend type.
pub struct Driver {
    /// `spec.type`, such as `state.sqlite`.
    pub kind: &'static str,
    /// Versions that it serves, such as `v1`.
    pub versions: &'static [&'static str],
    /// One line for the reference page.
    pub summary: &'static str,
    /// What the reference page says besides, in Markdown: what is peculiar, what could not be tested.
    pub notes: &'static str,
    /// The entries of `spec.metadata` in the reference page's example, as one writes them there; empty: none.
    pub example: &'static str,
    /// JSON Schema of the metadata struct: fields, types, defaults, docs.
    pub schema: fn() -> schemars::Schema,
    /// Names of the metadata entries, with their aliases.
    pub names: fn() -> Vec<metadata::EntryName>,
    /// Checks metadata without opening anything.
    pub check: fn(&Metadata) -> Result<(), OpenError>,
    /// Opens the backend.
    pub open: Arc<Open>,
}

impl Driver {
    /// A driver whose metadata is the struct `M`: give an `async fn open(OpenContext, M) -> Result<Opened, OpenError>`.
    pub fn new<M, F>(
        kind: &'static str,
        versions: &'static [&'static str],
        summary: &'static str,
        open: impl Fn(OpenContext, M) -> F + Send + Sync + 'static,
    ) -> Self
    where
        M: DeserializeOwned + JsonSchema + Send + 'static,
        F: Future<Output = Result<Opened, OpenError>> + Send + 'static,
    {
        Self {
            kind,
            versions,
            summary,
            notes: "",
            example: "",
            names: metadata::names::<M>,
            schema: || schemars::schema_for!(M),
            check: |metadata| metadata::parse::<M>(metadata).map(drop),
            open: Arc::new(move |context, metadata| match metadata::parse(&metadata) {
                Ok(metadata) => Box::pin(open(context, metadata)),
                Err(error) => Box::pin(std::future::ready(Err(error))),
            }),
        }
    }

    /// With notes for the reference page.
    #[must_use]
    pub fn notes(self, notes: &'static str) -> Self {
        Self { notes, ..self }
    }

    /// With the metadata of an example for the reference page.
    #[must_use]
    pub fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// Every name that a metadata entry may have, in the driver's spelling.
    #[must_use]
    pub fn metadata_names(&self) -> Vec<String> {
        let names = (self.names)().into_iter();
        names
            .flat_map(|entry| std::iter::once(entry.name).chain(entry.aliases))
            .collect()
    }

    /// Why an entry does nothing: Dapr knows it, and its doc comment here begins with [`NO_EFFECT`].
    #[must_use]
    pub fn no_effect(&self, name: &str) -> Option<String> {
        let schema = (self.schema)();
        let mut fields = schema.get("properties")?.as_object()?.iter();
        let (_, field) = fields.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        let reason = field.get("description")?.as_str()?;
        let reason = reason.strip_prefix(NO_EFFECT)?.trim();
        Some(reason.trim_end_matches('.').to_owned())
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// All drivers of this build.
#[derive(Default)]
pub struct Registry(pub Vec<Driver>);

impl Registry {
    /// The driver of a type.
    #[must_use]
    pub fn driver(&self, kind: &str) -> Option<&Driver> {
        self.0
            .iter()
            .find(|driver| driver.kind.eq_ignore_ascii_case(kind))
    }

    /// The types that this build serves, sorted.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self.0.iter().map(|driver| driver.kind).collect();
        kinds.sort_unstable();
        kinds
    }
}
