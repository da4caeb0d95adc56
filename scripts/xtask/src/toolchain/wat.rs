//! Guests in the text format, for what no language can say.

use super::world;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

/// Builds a core module in the text format into a component for the world `http-service`.
pub fn build(source: &Path, output: &Path) -> Result<()> {
    let mut module = wat::parse_file(source)?;
    let (resolve, world) = world::load("http-service")?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let component = ComponentEncoder::default()
        .module(&module)?
        .validate(true)
        .encode()?;
    fs::write(output, component).with_context(|| format!("writing {}", output.display()))
}
