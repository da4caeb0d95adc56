//! `berth schema`

use super::json;
use crate::{failure::Failure, schemas, ui};

/// Flags of `berth schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A kind such as App, a component type such as state.redis, or `documents`: of any kind. Without it: which there are
    #[arg(value_name = "KIND|TYPE")]
    name: Option<String>,
}

/// Prints a schema, or what has one.
pub fn execute(args: &Args) -> Result<(), Failure> {
    if let Some(name) = &args.name {
        ui::out(&json(&schemas::find(name)?));
        return Ok(());
    }
    let (kinds, types) = schemas::names();
    for name in kinds.iter().chain(&types).chain(&[schemas::ANY]) {
        ui::out(name);
    }
    Ok(())
}
