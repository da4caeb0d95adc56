//! Drivers of `pubsub.*`.

#[cfg(feature = "pubsub-rabbitmq")]
pub(crate) mod rabbitmq;
#[cfg(feature = "pubsub-sqlite")]
pub(crate) mod sqlite;
