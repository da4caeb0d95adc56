//! From a module that speaks WASI preview 1 to a guest.

use crate::Error;
use anyhow::Context;
use std::{fs, path::Path};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

/// Wraps a core module that says which world it is for. The adapter turns WASI preview 1 into 0.2.
///
/// # Errors
/// It is no module, or does not fit its world.
pub fn encode(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    ComponentEncoder::default()
        .module(module)?
        .adapter(
            WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        )?
        .validate(true)
        .encode()
        .context("making the component")
}

/// Writes a guest. Renamed into place, so that a running host never sees half a guest.
pub fn install(component: &[u8], output: &Path) -> Result<(), Error> {
    let draft = output.with_extension("wasm.draft");
    if let Some(parent) = output.parent() {
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    fs::write(&draft, component).with_context(|| format!("writing {}", draft.display()))?;
    fs::rename(&draft, output).with_context(|| format!("writing {}", output.display()))?;
    Ok(())
}
