//! Drivers of `state.*`.

#[cfg(feature = "state-sqlite")]
pub(crate) mod sqlite;
