//! The files that the binary brings with it: the SDKs, the WIT packages, the script that finds a Rust toolchain.

use anyhow::{Context, Result};
use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    path::Path,
};

/// Path below the repository's root, and content.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The content of one file.
pub fn file(path: &str) -> &'static str {
    FILES
        .iter()
        .find(|(name, _)| *name == path)
        .map_or("", |(_, content)| content)
}

/// The files below a folder, with their paths from there.
pub fn below(folder: &str) -> Vec<(&'static str, &'static str)> {
    let relative = |(name, content): &(&'static str, &'static str)| {
        let relative = name.strip_prefix(folder)?.strip_prefix('/')?;
        Some((relative, *content))
    };
    FILES.iter().filter_map(relative).collect()
}

/// A number that changes when any of the files does.
pub fn version() -> String {
    let mut hasher = DefaultHasher::new();
    FILES.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Writes the files below `from` into a folder, each through `edit`.
pub fn unpack(from: &str, to: &Path, edit: impl Fn(&str) -> String) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("removing {}", to.display()))?;
    }
    for (relative, content) in below(from) {
        let path = to.join(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        fs::write(&path, edit(content)).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Writes the WIT packages and an SDK that is compiled with the program into a project's own folder, `wit` below it. What is
/// there already is left alone: the compiler would take new files for changed ones.
pub fn unpack_sdk(sdk: &str, folder: &Path) -> Result<()> {
    let wit = folder.join("wit");
    let (note, version) = (wit.join("version"), version());
    if fs::read_to_string(&note).is_ok_and(|there| there == version) {
        return Ok(());
    }
    unpack("wit/deps", &wit.join("deps"), str::to_owned)?;
    unpack(sdk, &folder.join(sdk), str::to_owned)?;
    fs::write(wit.join("berth.wit"), file("wit/berth.wit"))?;
    fs::write(&note, version).with_context(|| format!("writing {}", note.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_builds_need_is_carried() {
        for name in [
            "wit/sdk/javascript/src/index.js",
            "wit/sdk/javascript/build/build.mjs",
            "wit/sdk/javascript/build/package-lock.json",
            "wit/sdk/javascript/types/index.d.ts",
            "wit/sdk/python/src/dapr/clients/__init__.py",
            "wit/sdk/python/build/build.py",
            "wit/sdk/go/go.mod",
            "wit/sdk/go/internal/abi/memory.s",
            "wit/sdk/rust/Cargo.toml",
            "wit/sdk/rust/src/lib.rs",
            "wit/deps/berth-workflow/workflow.wit",
            "wit/berth.wit",
            "scripts/guest-toolchain.sh",
        ] {
            assert!(!file(name).is_empty(), "{name}");
        }
        let tests = FILES
            .iter()
            .filter(|(name, _)| name.starts_with("wit/sdk/") && name.contains("/test/"));
        assert_eq!(
            tests.count(),
            0,
            "tests of an SDK are of no use to a project"
        );
    }
}
