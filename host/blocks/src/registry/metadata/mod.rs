//! Component metadata as drivers read it: every value may come as text, as in Dapr's documents.
//!
//! A driver describes its metadata as one struct with serde and schemars; fields use the types of Rust and those
//! below. `#[serde(flatten)]` does not work here: it hides the type that a field wants.

mod entries;
mod names;
mod values;

pub use names::{EntryName, names};
pub use values::{Confidential, DurationOrMillis, DurationOrSeconds, Size, duration, truthy};

use super::{Metadata, OpenError};
use entries::Entries;
use serde::de::DeserializeOwned;

/// Reads a metadata struct; the error names the entry.
///
/// # Errors
/// [`OpenError::Metadata`] for a missing, unknown or wrong entry.
pub fn parse<T: DeserializeOwned>(metadata: &Metadata) -> Result<T, OpenError> {
    T::deserialize(Entries(metadata)).map_err(|error| OpenError::Metadata {
        field: error.field.unwrap_or_default(),
        message: error.message,
    })
}

#[cfg(test)]
mod tests;
