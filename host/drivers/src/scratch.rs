//! A data directory for one test.

use berth_blocks::registry::{Connections, Metadata, OpenContext, OpenError, metadata::parse};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory that goes with the test.
pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The file that embedded drivers use by default.
    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("berth.db")
    }

    /// The context of a host of its own: it shares no connection with another.
    pub(crate) fn context(&self) -> OpenContext {
        context(self.path())
    }

    /// An error's text, with the directory's name replaced by `/data`.
    pub(crate) fn told(&self, error: impl ToString) -> String {
        error
            .to_string()
            .replace(&self.path().display().to_string(), "/data")
    }
}

/// The context of a host with its data in `folder`.
pub(crate) fn context(folder: &Path) -> OpenContext {
    OpenContext {
        name: "backend".to_owned(),
        namespace: "default".parse().unwrap(),
        data_dir: folder.to_owned(),
        apps: Vec::new(),
        connections: Connections::default(),
    }
}

/// Metadata as a document gives it.
pub(crate) fn metadata<T: DeserializeOwned>(entries: &[(&str, &str)]) -> T {
    try_metadata(entries).unwrap()
}

/// [`metadata`] that may be wrong.
pub(crate) fn try_metadata<T: DeserializeOwned>(entries: &[(&str, &str)]) -> Result<T, OpenError> {
    let entries = entries
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()));
    parse(&entries.collect::<Metadata>())
}
