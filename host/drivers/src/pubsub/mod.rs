//! Drivers of `pubsub.*`.

#[cfg(feature = "pubsub-kafka")]
pub(crate) mod kafka;
#[cfg(feature = "pubsub-rabbitmq")]
pub(crate) mod rabbitmq;
#[cfg(feature = "pubsub-redis")]
pub(crate) mod redis;
#[cfg(feature = "pubsub-sqlite")]
pub(crate) mod sqlite;
