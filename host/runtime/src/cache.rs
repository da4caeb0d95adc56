//! Compiled guests on disk, mapped into memory: a restart does not compile anything again.
//!
//! The files hold native code that the host runs, so the directory is private (0700) and its owner is checked. A file
//! is named by the content of the guest and by everything that the compiler's output depends on.
#![expect(
    unsafe_code,
    reason = "wasmtime trusts the bytes of a compiled guest; this file is where we vouch for them"
)]

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use wasmtime::{Engine, component::Component};

/// A directory of compiled guests.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    directory: PathBuf,
}

/// A guest ready to be linked.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    pub(crate) from_cache: bool,
    /// SHA-256 of these bytes, in hexadecimal digits.
    pub(crate) digest: String,
}

impl Cache {
    /// Opens or makes the directory; refuses one that others may write to.
    pub(crate) fn open(directory: &Path) -> anyhow::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(|| format!("making the cache directory {}", directory.display()))?;
        let metadata = fs::metadata(directory)?;
        if metadata.permissions().mode() & 0o022 != 0 {
            bail!(
                "the cache directory {} can be written by others: it holds native code; run `chmod 700 {}`",
                directory.display(),
                directory.display()
            );
        }
        let own = fs::metadata("/proc/self")
            .map(|process| process.uid())
            .unwrap_or_else(|_| metadata.uid());
        if metadata.uid() != own && own != 0 {
            bail!(
                "the cache directory {} belongs to another user: name one of yours with --cache-dir",
                directory.display()
            );
        }
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// The compiled form of these bytes: from the cache, else compiled and kept.
    pub(crate) fn component(&self, engine: &Engine, bytes: &[u8]) -> anyhow::Result<Compiled> {
        let digest = digest(bytes);
        let path = self.path(engine, &digest);
        let found = load(engine, &path);
        let (component, from_cache) = match found {
            Some(component) => (component, true),
            None => self.compile(engine, bytes, &path)?,
        };
        Ok(Compiled {
            component,
            from_cache,
            digest,
        })
    }

    /// Compiles, unless another process that shares the directory does so already: its result is waited for.
    fn compile(
        &self,
        engine: &Engine,
        bytes: &[u8],
        path: &Path,
    ) -> anyhow::Result<(Component, bool)> {
        let turn = Turn::take(path);
        if let Some(component) = load(engine, path) {
            return Ok((component, true));
        }
        let code = engine.precompile_component(bytes)?;
        if let Err(error) = self.keep(path, &code) {
            tracing::warn!(path = %path.display(), %error, "compiled guest not kept: the next start compiles it again");
            // SAFETY: the bytes come from this engine's compiler, a moment ago.
            let component = unsafe { Component::deserialize(engine, &code) }?;
            return Ok((component, false));
        }
        drop(turn);
        match load(engine, path) {
            Some(component) => Ok((component, false)),
            None => bail!("the compiled guest {} cannot be loaded", path.display()),
        }
    }

    fn path(&self, engine: &Engine, digest: &str) -> PathBuf {
        let mut settings = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut settings);
        self.directory
            .join(format!("{digest}-{:016x}.cwasm", settings.finish()))
    }

    /// Written beside and renamed: nobody ever maps half a file.
    fn keep(&self, path: &Path, code: &[u8]) -> std::io::Result<()> {
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        let written = file
            .write_all(code)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

/// The turn to compile one guest. It saves work and guards nothing: whoever gets none (a full disk, say) compiles, too.
struct Turn {
    path: PathBuf,
    _locked: Option<fs::File>,
}

impl Turn {
    fn take(compiled: &Path) -> Self {
        let path = compiled.with_extension("lock");
        let locked = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| file.lock().map(|()| file));
        Self {
            path,
            _locked: locked.ok(),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let content = Sha256::digest(bytes);
    content.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file that does not load (another version, a broken disk) is removed, so that it is compiled again.
fn load(engine: &Engine, path: &Path) -> Option<Component> {
    if !path.exists() {
        return None;
    }
    // SAFETY: the directory is ours alone (checked in `open`), and files appear in it whole.
    match unsafe { Component::deserialize_file(engine, path) } {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::info!(path = %path.display(), %error, "compiled guest is stale");
            let _ = fs::remove_file(path);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_that_need_one_guest_at_once_one_compiles_it() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let directory = folder.path().join("cache");
        let engine = Engine::default();
        let bytes = wat::parse_str("(component)")?;
        let compiled = |_| -> anyhow::Result<bool> {
            let cache = Cache::open(&directory)?;
            Ok(!cache.component(&engine, &bytes)?.from_cache)
        };
        let compiled: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || compiled(n))).collect();
            threads.into_iter().map(|thread| thread.join()).collect()
        });
        let mut compiling = 0;
        for thread in compiled {
            compiling += usize::from(thread.expect("no panic")?);
        }
        assert_eq!(compiling, 1);
        let left: Vec<_> = fs::read_dir(&directory)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<std::io::Result<_>>()?;
        assert_eq!(left.len(), 1, "{left:?}");
        Ok(())
    }
}
