//! The store behind all faults: what survives every crash. In memory for many seeds, the others to see that they answer
//! the same.

use crate::world::at_once;
use berth_blocks::{
    memory::{InMemoryWorkflows, RowCounts},
    registry::{Connections, Metadata, OpenContext},
    workflow::{InstanceQuery, InstanceRow, WorkflowStore},
};
use berth_resources::Namespace;
use std::{ops::Deref, path::Path, sync::Arc};

/// A store, with a way to look at all of it.
#[derive(Clone)]
pub struct Disk {
    pub store: Arc<dyn WorkflowStore>,
    memory: Option<Arc<InMemoryWorkflows>>,
}

/// In memory.
impl Default for Disk {
    fn default() -> Self {
        let memory = Arc::<InMemoryWorkflows>::default();
        Self {
            store: memory.clone(),
            memory: Some(memory),
        }
    }
}

impl Deref for Disk {
    type Target = dyn WorkflowStore;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

impl Disk {
    /// SQLite, in memory as well: what is compared is its statements, not the file system.
    pub fn sqlite() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let entries = [("connectionString", ":memory:"), ("cleanupInterval", "0")];
        runtime.block_on(Self::open("state.sqlite", Namespace::default(), &entries))
    }

    /// What a state backend offers, in the metadata of its document; `namespace` is that of the document.
    pub async fn open(kind: &str, namespace: Namespace, entries: &[(&str, &str)]) -> Self {
        let registry = berth_drivers::registry();
        let driver = registry.driver(kind).unwrap();
        let context = OpenContext {
            name: "statestore".to_owned(),
            namespace,
            data_dir: Path::new("/nowhere").to_owned(),
            apps: Vec::new(),
            connections: Connections::default(),
        };
        let entries = entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()));
        let metadata = Metadata::from_iter(entries);
        let opened = (driver.open)(context, metadata).await.unwrap();
        Self {
            store: opened.workflows.unwrap(),
            memory: None,
        }
    }

    /// All instances, by key.
    pub fn rows(&self) -> Vec<InstanceRow> {
        if let Some(memory) = &self.memory {
            return memory.rows();
        }
        let query = InstanceQuery::all(Namespace::default(), 100_000);
        let page = at_once(self.store.list(query)).unwrap();
        // A list leaves outcomes out.
        let whole = |row: InstanceRow| at_once(self.store.get(&row.key)).unwrap().unwrap();
        let mut rows: Vec<_> = page.rows.into_iter().map(whole).collect();
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        rows
    }

    /// What is stored, as far as it can be seen.
    pub fn counts(&self) -> RowCounts {
        match &self.memory {
            Some(memory) => memory.counts(),
            None => RowCounts {
                instances: self.rows().len(),
                ..RowCounts::default()
            },
        }
    }
}
