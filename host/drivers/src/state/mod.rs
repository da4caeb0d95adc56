//! Drivers of `state.*`.

#[cfg(feature = "state-postgresql")]
pub(crate) mod postgresql;
#[cfg(feature = "state-redis")]
pub(crate) mod redis;
#[cfg(feature = "state-sqlite")]
pub(crate) mod sqlite;
