//! One host: from documents to running apps, through changes, to the end.
//!
//! ```text
//! sources ─▶ documents (checked) ─▶ deployment (backends open, guests loaded) ─▶ running (doors open)
//!               ▲                                                                    │
//!               └──────────── watch: a file changed ─────────────────────────────────┘
//! ```
//!
//! A deployment is prepared completely before anything of it is used, at the start as after a change. Backends that the
//! host runs without for now are opened again until they work (`heal.rs`).

mod dapr_http;
mod data_dir;
mod deployment;
mod documents;
mod files_limit;
mod fleet;
mod folder_watch;
mod guests;
mod heal;
mod instances;
mod life;
mod projects;
mod reload;
mod running;
mod signals;
mod sources;
mod start;
mod summary;
mod versions;
mod watch;
mod workflows;

pub use dapr_http::{DaprHttpPort, DaprHttpSettings};
pub use documents::Documents;
pub use fleet::{FleetSettings, MeshListen, default_user_dir, development_ca};
pub use guests::check_guests;
pub use instances::default_max as default_max_instances;
pub use life::run;
pub use projects::Building;
pub use signals::listen as listen_for_signals;
pub use sources::Sources;

use crate::args::Output;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// What `berth run` was told.
pub struct Settings {
    /// Documents and guests.
    pub sources: Sources,
    /// Where embedded backends keep their data.
    pub data_dir: PathBuf,
    /// Address of the ingress.
    pub listen: SocketAddr,
    /// Other hosts.
    pub fleet: FleetSettings,
    /// Dapr's HTTP API.
    pub dapr_http: DaprHttpSettings,
    /// Address of the admin API; absent: the usual one, or any.
    pub admin: Option<SocketAddr>,
    /// Instances of all apps together.
    pub max_instances: u32,
    /// Follow changed files.
    pub watch: bool,
    /// Build the projects whose guests run, and again when their source changes.
    pub building: Option<Building>,
    /// How long work under way may take at the end.
    pub drain_timeout: Duration,
    /// Form of what stdout says.
    pub output: Output,
}

/// berth's folder in one of the user's: the one that a variable names, else the usual one in the home directory.
pub fn folder_of_user(variable: &str, usual: &str) -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let named = set(variable).filter(|path| path.is_absolute());
    let folder = named.or_else(|| Some(set("HOME")?.join(usual)))?;
    Some(folder.join("berth"))
}
