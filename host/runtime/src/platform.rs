//! An engine with everything that its guests may import, and which of a few a guest runs on.

use crate::{
    cache::{Cache, Compiled},
    engine::{self, Compiler, Concurrency},
    instance::GuestState,
    link, workflow,
};
use anyhow::anyhow;
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
    fn new(instances: u32, compiler: Compiler, concurrency: Concurrency) -> anyhow::Result<Self> {
        let engine = engine::engine(instances, compiler, concurrency)?;
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
pub(crate) struct Platforms {
    made: Mutex<Vec<(Kind, Arc<Platform>)>>,
    instances: u32,
    compiler: Compiler,
}

type Kind = (Compiler, Concurrency);

impl Platforms {
    /// Each with a pool for this many instances; this compiler is preferred.
    pub(crate) fn new(instances: u32, compiler: Compiler) -> Self {
        Self {
            made: Mutex::default(),
            instances,
            compiler,
        }
    }

    /// Compiles a guest, or takes it from the cache, for the first platform that can run it.
    pub(crate) fn compile(
        &self,
        cache: &Cache,
        guest: &[u8],
    ) -> anyhow::Result<(Arc<Platform>, Compiled)> {
        // Asynchronous functions without any of WASI 0.3 are possible, too: the plain engine refuses them.
        let concurrency: &[_] = if names_wasi_0_3(guest) {
            &[Concurrency::Asynchronous]
        } else {
            &[Concurrency::Plain, Concurrency::Asynchronous]
        };
        let mut refusal = anyhow!("no compiler");
        for compiler in self.compiler.candidates() {
            for concurrency in concurrency {
                let platform = self.platform((*compiler, *concurrency))?;
                match cache.component(&platform.engine, guest) {
                    Ok(compiled) => return Ok((platform, compiled)),
                    Err(error) => refusal = error,
                }
            }
        }
        Err(refusal)
    }

    /// The one for most guests.
    pub(crate) fn usual(&self) -> anyhow::Result<Arc<Platform>> {
        self.platform((self.compiler, Concurrency::Plain))
    }

    fn platform(&self, kind: Kind) -> anyhow::Result<Arc<Platform>> {
        let mut made = self.made.lock();
        if let Some((_, platform)) = made.iter().find(|(made, _)| *made == kind) {
            return Ok(platform.clone());
        }
        let platform = Arc::new(Platform::new(self.instances, kind.0, kind.1)?);
        made.push((kind, platform.clone()));
        Ok(platform)
    }
}

/// Whether a name such as `wasi:http/types@0.3.0` occurs. Where it means something else, nothing but speed is lost.
fn names_wasi_0_3(guest: &[u8]) -> bool {
    memchr::memmem::find(guest, b"@0.3.").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kinds of platforms that were made for a component with this core module in it.
    fn made_for(module: &str) -> anyhow::Result<Vec<Kind>> {
        let folder = tempfile::tempdir()?;
        let cache = Cache::open(&folder.path().join("cache"))?;
        let platforms = Platforms::new(4, Compiler::Baseline);
        let guest = wat::parse_str(format!("(component (core module {module}))"))?;
        platforms.compile(&cache, &guest)?;
        let made = platforms.made.lock();
        Ok(made.iter().map(|(kind, _)| *kind).collect())
    }

    #[test]
    fn what_the_baseline_compiler_does_not_know_the_other_compiles() -> anyhow::Result<()> {
        let plain = (Compiler::Baseline, Concurrency::Plain);
        assert_eq!(made_for("(func (export \"f\"))")?, [plain]);
        let made = made_for("(func (export \"f\")) (func (export \"g\") return_call 0)")?;
        let last = (Compiler::Optimizing, Concurrency::Plain);
        assert_eq!(made.last(), Some(&last), "{made:?}");
        Ok(())
    }
}
