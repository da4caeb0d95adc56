//! Drivers of `pubsub.*`.

#[cfg(feature = "pubsub-sqlite")]
pub(crate) mod sqlite;
