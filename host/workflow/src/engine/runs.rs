//! Which runs of this host have joined a store that several hosts share. A host that begins again knows that its former
//! runs are over, and frees at once what they owned; the other hosts would wait for the end of their leases.

use berth_resources::Namespace;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Name of the file, one for each namespace: an owner a line.
const FILE: &str = "workflow-owners";

/// Kept in the data directory, which belongs to one host at a time.
#[derive(Debug, Clone)]
pub(super) struct Runs {
    folder: PathBuf,
}

impl Runs {
    pub(super) fn new(data_dir: PathBuf) -> Self {
        Self { folder: data_dir }
    }

    /// Notes that `owner` is about to join. Gives those that joined before it.
    pub(super) fn begin(&self, namespace: &Namespace, owner: &str) -> io::Result<Vec<String>> {
        let path = self.file(namespace);
        let former = match fs::read_to_string(&path) {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let all = former.iter().map(String::as_str).chain([owner]);
        write(&path, &all.collect::<Vec<_>>())?;
        Ok(former)
    }

    /// Those before `owner` own nothing any more.
    pub(super) fn settle(&self, namespace: &Namespace, owner: &str) -> io::Result<()> {
        write(&self.file(namespace), &[owner])
    }

    fn file(&self, namespace: &Namespace) -> PathBuf {
        self.folder.join(namespace.as_str()).join(FILE)
    }
}

/// Replaces the file as a whole: a host that is killed meanwhile leaves one or the other.
fn write(path: &Path, owners: &[&str]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    for owner in owners {
        writeln!(file, "{owner}")?;
    }
    file.sync_all()?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_remembered_until_they_are_settled() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::new(folder.path().to_owned());
        let namespace = Namespace::default();
        assert_eq!(runs.begin(&namespace, "a").unwrap(), [""; 0]);
        assert_eq!(runs.begin(&namespace, "b").unwrap(), ["a"]);
        assert_eq!(runs.begin(&namespace, "c").unwrap(), ["a", "b"]);
        runs.settle(&namespace, "c").unwrap();
        assert_eq!(runs.begin(&namespace, "d").unwrap(), ["c"]);
    }
}
