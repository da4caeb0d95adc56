//! Watches folders, and says when something in them changed and it is quiet again.

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// A change is taken up no later than this after its first event.
const PATIENCE: Duration = Duration::from_secs(2);
/// Folders that are watched; more are left alone.
const FOLDERS_MAX: usize = 4096;

/// Watches folders, each without those below it.
pub struct FolderWatch {
    watcher: RecommendedWatcher,
    events: mpsc::Receiver<()>,
    folders: BTreeSet<PathBuf>,
    quiet: Duration,
}

impl FolderWatch {
    /// Watches nothing yet. `quiet`: a change is taken up when nothing happened for this long; `matters`: whether an event
    /// is a change at all.
    pub fn new(
        quiet: Duration,
        matters: impl Fn(&Event) -> bool + Send + 'static,
    ) -> notify::Result<Self> {
        // One pending event is enough: what it says is "look again".
        let (send, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let matters = match &event {
                Ok(event) => is_change(&event.kind) && matters(event),
                // An overflow: nobody knows what was missed.
                Err(_) => true,
            };
            if matters {
                let _ = send.try_send(());
            }
        })?;
        Ok(Self {
            watcher,
            events,
            folders: BTreeSet::new(),
            quiet,
        })
    }

    /// Watches these folders and no others.
    pub fn watch_exactly(&mut self, wanted: BTreeSet<PathBuf>) {
        for gone in self.folders.difference(&wanted) {
            // The folder itself may be gone, and its watch with it.
            let _ = self.watcher.unwatch(gone);
        }
        let mut watched = BTreeSet::new();
        for folder in wanted {
            let known = self.folders.contains(&folder);
            match known || self.watch(&folder) {
                true => watched.insert(folder),
                false => false,
            };
        }
        self.folders = watched;
    }

    fn watch(&mut self, folder: &Path) -> bool {
        let watching = self.watcher.watch(folder, RecursiveMode::NonRecursive);
        if let Err(error) = &watching {
            tracing::warn!(folder = %folder.display(), %error, "this folder is not watched for changes");
        }
        watching.is_ok()
    }

    /// Waits for a change and for the quiet after it. Cancel safe: at worst one more look is taken.
    pub async fn changed(&mut self) {
        if self.events.recv().await.is_none() {
            return std::future::pending().await;
        }
        let latest = Instant::now() + PATIENCE;
        loop {
            let quiet = (Instant::now() + self.quiet).min(latest);
            match timeout_at(quiet, self.events.recv()).await {
                Ok(Some(())) if Instant::now() < latest => {}
                _ => return,
            }
        }
    }
}

fn is_change(kind: &EventKind) -> bool {
    !matches!(kind, EventKind::Access(_))
}

/// A folder and those below it that are wanted.
pub fn collect_folders(
    folder: &Path,
    is_wanted: &impl Fn(&Path) -> bool,
    folders: &mut BTreeSet<PathBuf>,
) {
    if folders.len() >= FOLDERS_MAX || !folders.insert(folder.to_owned()) {
        return;
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && is_wanted(&entry.path()) {
            collect_folders(&entry.path(), is_wanted, folders);
        }
    }
}
