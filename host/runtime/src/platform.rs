//! An engine with everything that its guests may import, and which of the two a guest runs on.

use crate::{
    cache::{Cache, Compiled},
    engine::{self, Concurrency},
    instance::GuestState,
    link, workflow,
};
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use wasmtime::{Engine, component::Linker};

/// An engine and its linker.
pub(crate) struct Platform {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<GuestState>,
    /// For instances that run a workflow. Most hosts have none.
    workflow_linker: OnceLock<Linker<GuestState>>,
}

impl Platform {
    fn new(instances: u32, concurrency: Concurrency) -> anyhow::Result<Self> {
        let engine = engine::engine(instances, concurrency)?;
        let linker = link::linker(&engine, concurrency)?;
        Ok(Self {
            engine,
            linker,
            workflow_linker: OnceLock::new(),
        })
    }

    /// The linker of instances that run a workflow, made for the first guest that has any.
    pub(crate) fn workflow_linker(&self) -> anyhow::Result<&Linker<GuestState>> {
        if let Some(linker) = self.workflow_linker.get() {
            return Ok(linker);
        }
        let linker = workflow::linker(&self.engine)?;
        Ok(self.workflow_linker.get_or_init(|| linker))
    }
}

/// The platforms of a host, each made for the first guest that needs it.
#[derive(Default)]
pub(crate) struct Platforms {
    plain: Slot,
    asynchronous: Slot,
    instances: u32,
}

type Slot = Mutex<Option<Arc<Platform>>>;

impl Platforms {
    /// Each with a pool for this many instances.
    pub(crate) fn new(instances: u32) -> Self {
        Self {
            instances,
            ..Self::default()
        }
    }

    /// Compiles a guest, or takes it from the cache, for the platform that it needs.
    pub(crate) fn compile(
        &self,
        cache: &Cache,
        guest: &[u8],
    ) -> anyhow::Result<(Arc<Platform>, Compiled)> {
        if !names_wasi_0_3(guest) {
            let platform = self.plain()?;
            if let Ok(compiled) = cache.component(&platform.engine, guest) {
                return Ok((platform, compiled));
            }
        }
        // Asynchronous functions without any of WASI 0.3 are possible, too: the plain engine refuses them.
        let platform = self.made(&self.asynchronous, Concurrency::Asynchronous)?;
        let compiled = cache.component(&platform.engine, guest)?;
        Ok((platform, compiled))
    }

    /// The one for most guests.
    pub(crate) fn plain(&self) -> anyhow::Result<Arc<Platform>> {
        self.made(&self.plain, Concurrency::Plain)
    }

    fn made(&self, slot: &Slot, concurrency: Concurrency) -> anyhow::Result<Arc<Platform>> {
        let mut made = slot.lock();
        if let Some(platform) = &*made {
            return Ok(platform.clone());
        }
        let platform = Arc::new(Platform::new(self.instances, concurrency)?);
        *made = Some(platform.clone());
        Ok(platform)
    }
}

/// Whether a name such as `wasi:http/types@0.3.0` occurs. Where it means something else, nothing but speed is lost.
fn names_wasi_0_3(guest: &[u8]) -> bool {
    memchr::memmem::find(guest, b"@0.3.").is_some()
}
