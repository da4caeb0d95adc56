//! Values on the wire: JSON.

use crate::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

/// Media type of what the SDK writes.
pub(crate) const MEDIA_TYPE: &str = "application/json";

pub(crate) fn write(what: impl fmt::Display, value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::malformed(what, error))
}

/// No bytes at all are `null`: what a call without an argument sends.
pub(crate) fn read<T: DeserializeOwned>(what: impl fmt::Display, bytes: &[u8]) -> Result<T> {
    let bytes = if bytes.is_empty() { b"null" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| Error::malformed(what, error))
}
