//! `cargo xtask reference`: the page of component types. A test of the drivers knows how, and whether it is current.

use crate::{command, repository};
use anyhow::Result;

/// Writes the page. Of the whole workspace, so that nothing is compiled with other features.
pub fn write() -> Result<()> {
    command::run(
        repository::cargo()
            .env("BERTH_WRITE_REFERENCE", "1")
            .args(["test", "--quiet", "--workspace", "--test", "reference"])
            .args(["--", "the_page_of_component_types_is_current"]),
    )
}
