//! What a built component really imports and exports.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use wit_bindgen_core::wit_parser::{Resolve, WorldId, WorldItem};
use wit_component::DecodedWasm;

/// What a guest must have to be of use.
pub struct Expectation {
    /// Interfaces that it must export.
    pub exports: &'static [&'static str],
    /// Whether it must call every function of every `berth:` interface.
    pub calls_all_blocks: bool,
}

/// Checks a built component.
pub fn verify(path: &Path, expected: &Expectation) -> Result<()> {
    let (resolve, world) = decode(path)?;
    let exports = interfaces(&resolve, world);
    for expected in expected.exports {
        if !exports.contains(*expected) {
            bail!(
                "{} does not export {expected}, but {exports:?}",
                path.display()
            );
        }
    }
    if expected.calls_all_blocks {
        let missing: Vec<_> = blocks()?
            .difference(&imports(&resolve, world))
            .cloned()
            .collect();
        if !missing.is_empty() {
            bail!("{} does not call {}", path.display(), missing.join(", "));
        }
    }
    Ok(())
}

fn decode(path: &Path) -> Result<(Resolve, WorldId)> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    match wit_component::decode(&bytes).with_context(|| format!("decoding {}", path.display()))? {
        DecodedWasm::Component(resolve, world) => Ok((resolve, world)),
        DecodedWasm::WitPackage(..) => {
            bail!("{} is a WIT package, not a component", path.display())
        }
    }
}

fn interfaces(resolve: &Resolve, world: WorldId) -> BTreeSet<String> {
    resolve.worlds[world]
        .exports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .collect()
}

/// Functions of `berth:` interfaces that a world imports, as `interface#function`.
fn imports(resolve: &Resolve, world: WorldId) -> BTreeSet<String> {
    let mut functions = BTreeSet::new();
    for (key, item) in &resolve.worlds[world].imports {
        let name = resolve.name_world_key(key);
        if let WorldItem::Interface { id, .. } = item
            && name.starts_with("berth:")
        {
            functions.extend(
                resolve.interfaces[*id]
                    .functions
                    .keys()
                    .map(|function| format!("{name}#{function}")),
            );
        }
    }
    functions
}

/// Every function that the contract offers to guests.
fn blocks() -> Result<BTreeSet<String>> {
    let (resolve, world) = crate::toolchain::world("blocks")?;
    Ok(imports(&resolve, world))
}
