//! Where things lie in the repository.

use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The top folder of the repository.
pub fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest)
}

/// A guest that `cargo xtask guests` has built.
pub fn guest(name: &str) -> Result<PathBuf> {
    let file = root().join(format!("target/guests/{name}.wasm"));
    if !file.is_file() {
        bail!(
            "{} is missing; this line builds it:\n  cargo xtask guests",
            file.display()
        );
    }
    Ok(file)
}

/// A folder that lasts between runs, on the disk that the repository is on: what is measured there is that disk.
pub fn kept(name: &str) -> Result<PathBuf> {
    let folder = root().join("target/bench").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// The same, emptied.
pub fn scratch(name: &str) -> Result<PathBuf> {
    let folder = kept(name)?;
    fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
    kept(name)
}
