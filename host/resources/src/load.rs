//! From sources to resources: finds the files, reads every document, checks the documents against each other.

use crate::{LoadOptions, Loaded, Source};

/// Loads the documents of all sources and reports everything that is wrong with them at once.
#[must_use]
pub fn load(_sources: &[Source], _options: &LoadOptions<'_>) -> Loaded {
    Loaded::default()
}
