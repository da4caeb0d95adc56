//! What scenarios share: engines, compiled guests, drivers.

use anyhow::Context;
use berth_blocks::registry::Registry;
use berth_runtime::{Compiler, GuestEngines, RuntimeOptions};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

/// Instances of all scenarios that run at the same time.
const INSTANCES: u32 = 512;

/// What worlds are made with. Make one and share it: guests are compiled once. Cheap to clone.
#[derive(Clone)]
pub struct Kit(Arc<Shared>);

struct Shared {
    engines: GuestEngines,
    registry: Registry,
    /// Drivers expect one; nothing is written to it.
    data_dir: TempDir,
}

impl Kit {
    /// Guests are compiled as for production, and kept in `cache_dir`.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn new(cache_dir: &Path) -> anyhow::Result<Self> {
        Self::compiling(cache_dir, Compiler::default())
    }

    /// The same with a compiler of your choice.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn compiling(cache_dir: &Path, compiler: Compiler) -> anyhow::Result<Self> {
        let options = RuntimeOptions {
            cache_dir: cache_dir.to_owned(),
            instances: INSTANCES,
            compiler,
        };
        Ok(Self(Arc::new(Shared {
            engines: GuestEngines::new(&options)?,
            registry: berth_drivers::registry(),
            data_dir: tempfile::tempdir().context("making a temporary directory")?,
        })))
    }

    /// With the cache that `berth run` uses: `$BERTH_CACHE_DIR`, or berth's folder in the user's cache folder.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn usual() -> anyhow::Result<Self> {
        let set = |name| {
            let value = std::env::var_os(name);
            value.filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let in_home = || Some(set("HOME")?.join(".cache"));
        let cache = set("XDG_CACHE_HOME").or_else(in_home);
        let own = set("BERTH_CACHE_DIR").or_else(|| Some(cache?.join("berth")));
        Self::new(&own.unwrap_or_else(|| std::env::temp_dir().join("berth-cache")))
    }

    pub(crate) fn engines(&self) -> GuestEngines {
        self.0.engines.clone()
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.0.data_dir.path()
    }
}
