//! `berth run --watch`: the projects whose guests run are built again when their source changes.
//!
//! A build runs beside the host, which takes up its guest like any other that was changed. What does not compile leaves the
//! guest as it is, and its compiler has said why.

use super::folder_watch::{FolderWatch, collect_folders};
use crate::{
    failure::Failure,
    schemas,
    ui::{self, colours},
};
use berth_resources::App;
use berth_toolchains::{
    Built, Error, Request, Workshop, may_be_source, may_hold_source, project_for, project_of,
};
use notify::Event;
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    mem,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};

/// Editors write a file in one go, or under another name first.
const QUIET: Duration = Duration::from_millis(50);

/// How projects are built.
#[derive(Debug, Clone)]
pub struct Building {
    /// The folder, or the guest, that is run.
    pub path: PathBuf,
    /// Where toolchains are installed; absent: in each project.
    pub tools: Option<PathBuf>,
    /// Keeps tools at work between builds.
    pub workshop: Arc<Workshop>,
}

impl Building {
    /// Builds what `berth run` was given before it is run for the first time.
    pub fn first(&self) -> Result<(), Failure> {
        let project = if self.path.is_dir() {
            project_for(&self.path)
        } else {
            project_of(&self.path)
        };
        let Some(project) = project else {
            return Ok(());
        };
        let built = self
            .build(&project)
            .map_err(crate::commands::build::failure)?;
        say(&built, None);
        Ok(())
    }

    /// The projects that make the guests of apps.
    fn projects(&self, apps: &[App]) -> BTreeSet<PathBuf> {
        apps.iter()
            .filter_map(|app| project_of(&app.guest))
            .collect()
    }

    fn build(&self, project: &Path) -> Result<Built, Error> {
        let request = Request {
            project: project.to_owned(),
            language: None,
            output: None,
            tools: self.tools.clone(),
            colours: colours(),
            force: false,
        };
        let built = self.workshop.build(&request, &|step| ui::note(step))?;
        if let Err(failure) = schemas::write(project) {
            tracing::debug!(%failure, "schemas for editors were not written");
        }
        Ok(built)
    }
}

/// Builds projects whose source changes.
pub struct Projects {
    building: Building,
    folders: watch::Sender<BTreeSet<PathBuf>>,
    built: mpsc::Receiver<()>,
}

impl Projects {
    /// Watches the projects of these apps.
    pub fn watch(building: Building, apps: &[App]) -> notify::Result<Self> {
        let (folders, wanted) = watch::channel(building.projects(apps));
        let (done, built) = mpsc::channel(1);
        let sources = Sources::new(wanted)?;
        tokio::spawn(build_changed(building.clone(), sources, done));
        Ok(Self {
            building,
            folders,
            built,
        })
    }

    /// Watches the projects of these apps from now on.
    pub fn follow(&self, apps: &[App]) {
        let projects = self.building.projects(apps);
        self.folders.send_if_modified(|known| {
            let is_new = *known != projects;
            *known = projects;
            is_new
        });
    }

    /// Waits until a guest was built. Cancel safe.
    pub async fn built(&mut self) {
        if self.built.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

async fn build_changed(building: Building, mut sources: Sources, done: mpsc::Sender<()>) {
    while let Some(projects) = sources.changed().await {
        for project in projects {
            let began = Instant::now();
            let building = building.clone();
            let built = tokio::task::spawn_blocking(move || building.build(&project)).await;
            let is_new = match built {
                Ok(Ok(built)) => {
                    say(&built, Some(began.elapsed()));
                    !built.unchanged
                }
                Ok(Err(error)) => {
                    complain(&error);
                    false
                }
                Err(panic) => {
                    tracing::error!(%panic, "a build ended");
                    false
                }
            };
            if is_new && done.send(()).await.is_err() {
                return;
            }
        }
    }
}

fn say(built: &Built, took: Option<Duration>) {
    if built.unchanged {
        return;
    }
    for warning in &built.warnings {
        ui::warning(warning);
    }
    let guest = built.output.display();
    match took {
        Some(took) => tracing::info!(took = ui::duration(took), %guest, "built"),
        None => tracing::info!(%guest, "built"),
    }
    if took.is_none() && built.for_development {
        ui::note(
            "what is watched is built for the next edit; `berth build` makes the guest to deploy",
        );
    }
}

fn complain(error: &Error) {
    let hint = match error {
        Error::Wrong { hint, .. } => Some(hint.as_str()),
        _ => None,
    };
    tracing::error!(hint, "{error}; what ran before keeps running");
}

/// Says whose source changed.
struct Sources {
    watch: FolderWatch,
    wanted: watch::Receiver<BTreeSet<PathBuf>>,
    touched: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl Sources {
    fn new(wanted: watch::Receiver<BTreeSet<PathBuf>>) -> notify::Result<Self> {
        let touched = Arc::new(Mutex::new(BTreeSet::new()));
        let noted = touched.clone();
        let watch = FolderWatch::new(QUIET, move |event: &Event| {
            let sources = event.paths.iter().filter(|path| may_be_source(path));
            let before = noted.lock().len();
            noted.lock().extend(sources.cloned());
            noted.lock().len() > before
        })?;
        let mut sources = Self {
            watch,
            wanted,
            touched,
        };
        sources.follow();
        Ok(sources)
    }

    /// The projects whose source changed. Nothing: the host is gone.
    async fn changed(&mut self) -> Option<BTreeSet<PathBuf>> {
        loop {
            tokio::select! {
                () = self.watch.changed() => {}
                changed = self.wanted.changed() => changed.ok()?,
            }
            // A new folder may hold source.
            self.follow();
            let touched = mem::take(&mut *self.touched.lock());
            let projects = self.wanted.borrow();
            let is_touched =
                |project: &&PathBuf| touched.iter().any(|path| path.starts_with(project));
            let changed: BTreeSet<_> = projects.iter().filter(is_touched).cloned().collect();
            if !changed.is_empty() {
                return Some(changed);
            }
        }
    }

    fn follow(&mut self) {
        let mut folders = BTreeSet::new();
        for project in self.wanted.borrow().iter() {
            collect_folders(project, &may_hold_source, &mut folders);
        }
        self.watch.watch_exactly(folders);
    }
}
