//! The world of `wit/` that test guests are built for.

use crate::repository;
use anyhow::Result;
use wit_bindgen_core::wit_parser::{Resolve, WorldId};

/// Parses `wit/` and finds a world of `berth:guest`.
pub fn load(name: &str) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(repository::path("wit"))?;
    let world = resolve.select_world(&[package], Some(name))?;
    Ok((resolve, world))
}
