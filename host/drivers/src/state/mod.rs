//! Drivers of `state.*`.

#[cfg(feature = "state-postgresql")]
pub(crate) mod postgresql;
#[cfg(feature = "state-sqlite")]
pub(crate) mod sqlite;
