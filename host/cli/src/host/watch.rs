//! Watches the files of a deployment: folders with documents, the files of guests, and what backends read.

use super::{
    Sources,
    folder_watch::{FolderWatch, collect_folders},
};
use berth_resources::Source;
use notify::{Event, EventKind};
use parking_lot::RwLock;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// A change is taken up when nothing happened for this long: compilers write in several steps.
const QUIET: Duration = Duration::from_millis(200);

/// Says when something changed that a deployment is made of.
pub struct Watch {
    folders: FolderWatch,
    files: Arc<RwLock<BTreeSet<PathBuf>>>,
}

impl Watch {
    /// Watches nothing yet.
    pub fn new() -> notify::Result<Self> {
        let files = Arc::new(RwLock::new(BTreeSet::new()));
        let known = files.clone();
        let folders = FolderWatch::new(QUIET, move |event| concerns(event, &known.read()))?;
        Ok(Self { folders, files })
    }

    /// Watches what a deployment is made of now.
    pub fn follow(&mut self, sources: &Sources, inputs: &[PathBuf]) {
        let mut files: BTreeSet<PathBuf> = inputs.iter().map(|path| absolute(path)).collect();
        let mut folders = BTreeSet::new();
        for source in &sources.list {
            match source {
                Source::Dir(path) if path.is_dir() => {
                    collect_folders(&absolute(path), &is_read, &mut folders)
                }
                Source::ResourcesPath(path) if path.is_dir() => {
                    folders.insert(absolute(path));
                }
                Source::Dir(path) | Source::ResourcesPath(path) | Source::Config(path) => {
                    files.insert(absolute(path));
                }
                Source::Text { .. } => {}
            }
        }
        let of_files = files.iter().filter_map(|file| file.parent());
        folders.extend(of_files.map(Path::to_owned));
        *self.files.write() = files;
        self.folders.watch_exactly(folders);
    }

    /// Waits for a change and for the quiet after it. Cancel safe: at worst one more look is taken.
    pub async fn changed(&mut self) {
        self.folders.changed().await;
    }
}

/// Where Kubernetes keeps a mounted Secret or ConfigMap: a link that is replaced when any file of it changes.
const MOUNTED: &str = "..data";

/// Documents, known files, and folders that come or go (their name has no extension).
fn concerns(event: &Event, files: &BTreeSet<PathBuf>) -> bool {
    event.paths.iter().any(|path| {
        let is_document = path
            .extension()
            .is_some_and(|own| own == "yaml" || own == "yml");
        let may_be_folder = path.extension().is_none()
            && matches!(
                event.kind,
                EventKind::Create(_)
                    | EventKind::Remove(_)
                    | EventKind::Modify(notify::event::ModifyKind::Name(_))
            )
            && !is_skipped(path);
        let is_mounted = path.file_name().is_some_and(|name| name == MOUNTED);
        is_document || may_be_folder || is_mounted || files.contains(path)
    })
}

/// Whether documents are read from a folder: the resources crate skips the same ones.
fn is_read(folder: &Path) -> bool {
    !is_skipped(folder)
}

fn is_skipped(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == "target" || name == "node_modules"
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    async fn is_noticed(watch: &mut Watch) -> bool {
        tokio::time::timeout(Duration::from_secs(5), watch.changed())
            .await
            .is_ok()
    }

    /// Asserts silence for as long as a change would take to be noticed.
    async fn is_ignored(watch: &mut Watch) -> bool {
        tokio::time::timeout(Duration::from_millis(600), watch.changed())
            .await
            .is_err()
    }

    #[tokio::test]
    async fn documents_and_guests_are_noticed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for sub in ["apps", ".berth", "node_modules", "build"] {
            fs::create_dir(root.join(sub)).unwrap();
        }
        let guest = root.join("build/app.wasm");
        let sources = Sources {
            list: vec![Source::Dir(root.clone())],
            ..Sources::default()
        };
        let mut watch = Watch::new().unwrap();
        watch.follow(&sources, std::slice::from_ref(&guest));

        fs::write(root.join("apps/app.yaml"), "a: b").unwrap();
        assert!(is_noticed(&mut watch).await, "a document in a folder below");
        fs::write(&guest, "wasm").unwrap();
        assert!(is_noticed(&mut watch).await, "a guest");
        fs::create_dir(root.join("more")).unwrap();
        assert!(is_noticed(&mut watch).await, "a new folder");
        std::os::unix::fs::symlink("build", root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        assert!(is_noticed(&mut watch).await, "a mount that is replaced");

        fs::write(root.join(".berth/state.yaml"), "x").unwrap();
        fs::write(root.join("node_modules/x.yaml"), "x").unwrap();
        fs::write(root.join("build/other.o"), "x").unwrap();
        assert!(is_ignored(&mut watch).await);
    }
}
