//! Files that something was made from, and whether they are still the same.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A file as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    path: PathBuf,
    version: Option<Version>,
}

/// A version of a file, as far as one can tell without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    modified: Option<SystemTime>,
    size: u64,
    inode: u64,
}

impl InputFile {
    /// The file as it is now. Call it before the file is read: a change meanwhile is then seen later, not missed.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            version: version(path),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is the one that was read.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.version == version(&self.path)
    }
}

fn version(path: &Path) -> Option<Version> {
    let metadata = fs::metadata(path).ok()?;
    Some(Version {
        modified: metadata.modified().ok(),
        size: metadata.len(),
        inode: metadata.ino(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_replaced_or_removed_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.json");
        let absent = InputFile::at(&path);
        fs::write(&path, "a").unwrap();
        assert!(!absent.is_current());
        let first = InputFile::at(&path);
        assert!(first.is_current());
        fs::write(folder.path().join("new"), "b").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        assert!(!first.is_current());
        let second = InputFile::at(&path);
        fs::write(&path, "longer").unwrap();
        assert!(!second.is_current());
        fs::remove_file(&path).unwrap();
        assert!(!second.is_current() && absent.is_current());
    }
}
