//! Where things are in the repository.

use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// The root of the repository: the working directory of every host, as for somebody who follows the README.
#[must_use]
pub fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap_or(root)
}

/// Test inputs that are kept as files.
#[must_use]
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A built guest of `tests/guests`.
///
/// # Errors
/// It is not built; the text has the line that builds it.
pub fn guest(name: &str) -> Result<PathBuf> {
    built(repository().join(format!("target/guests/{name}.wasm")))
}

/// The example shop, with its guests built.
pub(crate) fn shop() -> Result<PathBuf> {
    let folder = repository().join("guest-examples/shop");
    for app in ["order", "inventory", "notification", "audit"] {
        built(folder.join(format!("apps/{app}-service.wasm")))?;
    }
    Ok(folder)
}

/// What `cargo xtask setup` made of a folder of `tests/sdk`: the official SDK, and our program that uses it.
///
/// # Errors
/// It is not there; the text has the line that makes it.
pub fn sdk(language: &str, file: &str) -> Result<PathBuf> {
    let path = repository().join(format!("target/tools/sdk-{language}/{file}"));
    if !path.exists() {
        bail!("no {}: run `cargo xtask setup`", path.display());
    }
    Ok(path)
}

fn built(path: PathBuf) -> Result<PathBuf> {
    if !path.is_file() {
        bail!("no guest {}: run `cargo xtask guests`", path.display());
    }
    Ok(path)
}

/// The binary under test.
pub(crate) fn binary() -> Result<PathBuf> {
    let path = match env::var_os("BERTH_BIN") {
        Some(path) => PathBuf::from(path),
        None => beside_the_tests()?,
    };
    if !path.is_file() {
        bail!(
            "no binary {}: run `cargo build --package berth`, or name one in BERTH_BIN",
            path.display()
        );
    }
    Ok(path)
}

/// Tests run as `target/<profile>/deps/<test>`.
fn beside_the_tests() -> Result<PathBuf> {
    let test = env::current_exe().context("asking for the path of the test")?;
    let profile = test.parent().and_then(Path::parent);
    let profile = profile.context("the test lies in no target directory")?;
    Ok(profile.join("berth"))
}

/// Compiled guests, shared by all tests, so that each guest is compiled once.
pub(crate) fn cache() -> Result<PathBuf> {
    let folder = repository().join("target/e2e-cache");
    let mut builder = fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(&folder);
    made.with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}
