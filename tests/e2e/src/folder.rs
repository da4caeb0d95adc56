//! A folder of documents, for one test.

use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Removed at the end of the test.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// An empty one.
    ///
    /// # Errors
    /// The disk is full.
    pub fn new() -> Result<Self> {
        let made = tempfile::Builder::new().prefix("berth-e2e-").tempdir();
        Ok(Self(made.context("making a folder")?))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file as an editor does: whole, and renamed into place.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let beside = path.with_extension("new");
        fs::write(&beside, content).with_context(|| format!("writing {}", beside.display()))?;
        fs::rename(&beside, &path).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// Copies a file.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn copy(&self, from: &Path, name: &str) -> Result<PathBuf> {
        let content = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        self.write(name, content)
    }

    /// Copies the files below another folder.
    ///
    /// # Errors
    /// One cannot be copied.
    pub fn copy_all(&self, from: &Path, names: &[&str]) -> Result<()> {
        for name in names {
            self.copy(&from.join(name), name)?;
        }
        Ok(())
    }

    /// Writes the document of an app; `spec` is the rest of its spec, in flow or block style at two spaces.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn app(&self, name: &str, guest: &Path, spec: &str) -> Result<()> {
        let document = format!(
            "apiVersion: berth.dev/v1alpha1\nkind: App\nmetadata:\n  name: {name}\nspec:\n  guest: {}\n{spec}\n",
            guest.display()
        );
        self.write(&format!("{name}.yaml"), document)?;
        Ok(())
    }
}
