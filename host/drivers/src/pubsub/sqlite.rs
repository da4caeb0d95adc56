//! `pubsub.sqlite`: a durable queue with consumer groups in a SQLite file. It is berth's own; Dapr has no such type.
//!
//! A message is one row, however many groups read its topic. A group is a cursor into the topic, and one small row for
//! each message that is leased or waits to come again. So publishing costs one row, consuming one row that comes and
//! goes, and all of it is committed together with whatever else waits for the file (see `crate::sqlite`).
//!
//! - A message goes when every group is done with it and nothing asks to keep it longer. A topic without groups keeps
//!   its messages for `retention`; a topic that holds `maxLength` messages refuses more. Nothing is dropped silently.
//! - Messages of one partition key are handed to a group one at a time, in order; a failed one holds the later ones
//!   of its key back.
//! - Leases of a killed host are taken over at once by the next one, if no other host has the file open; else they
//!   run out after `leaseDuration`.
//!
//! Several backends on one file share its topics.

mod broker;
mod claim;
mod consumer;
mod housekeeping;
mod lease;
mod look;
mod publish;
mod settle;
mod tables;
#[cfg(test)]
mod tests;

use crate::sqlite::{Database, EngineError, Fault, Journal, Location, Options, Synchronous};
use async_trait::async_trait;
use berth_blocks::{
    pubsub::{
        Consumer, OutboundMessage, PubSub, PubSubCapabilities, PubSubError, StoredMessage,
        SubscribeRequest, TopicDepth,
    },
    registry::{
        Driver, OpenContext, OpenError, Opened,
        metadata::{DurationOrMillis, DurationOrSeconds},
    },
};
use broker::Broker;
use consumer::SqliteConsumer;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// Metadata of `pubsub.sqlite`. The doc comments become the reference page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SqliteMetadata {
    /// Path of the file, relative to the working directory, a `file:` URI, or `:memory:`, which keeps nothing.
    /// Default: the file that the embedded backends of the namespace share.
    #[serde(default, alias = "url")]
    connection_string: Option<String>,
    /// How long a message stays with a consumer that neither answers nor extends the lease; default `30s`.
    #[serde(default)]
    lease_duration: Option<DurationOrSeconds>,
    /// How long a topic without any consumer group keeps its messages; default `168h`, seven days.
    #[serde(default)]
    retention: Option<DurationOrSeconds>,
    /// Messages that a topic holds at most; publishing fails beyond. Default 1000000.
    #[serde(default)]
    max_length: Option<u32>,
    /// How long a call waits for another process that holds the file; default `2s`.
    #[serde(default)]
    busy_timeout: Option<DurationOrMillis>,
    /// Does without the write-ahead log, which does not work on network file systems.
    #[serde(default, rename = "disableWAL")]
    disable_wal: bool,
    /// `full`: a published message is on the disk when the call returns. `normal`: faster, but a power failure may
    /// lose the last messages. Default `full`.
    #[serde(default)]
    synchronous: Synchronous,
}

impl SqliteMetadata {
    fn options(&self) -> Options {
        let busy_timeout = self.busy_timeout.as_ref();
        Options {
            synchronous: self.synchronous,
            journal: if self.disable_wal {
                Journal::Delete
            } else {
                Journal::Wal
            },
            busy_timeout: busy_timeout.map_or(Options::BUSY_TIMEOUT, |timeout| timeout.0),
        }
    }

    fn limits(&self) -> Result<Limits, OpenError> {
        let lease = self.lease_duration.as_ref();
        let lease = lease.map_or(Duration::from_secs(30), |duration| duration.0);
        if lease.is_zero() {
            return Err(OpenError::Metadata {
                field: "leaseDuration".to_owned(),
                message: "must be more than 0".to_owned(),
            });
        }
        let retention = self.retention.as_ref();
        Ok(Limits {
            lease,
            retention: retention.map_or(Duration::from_secs(7 * 24 * 3_600), |kept| kept.0),
            length_max: self.max_length.unwrap_or(1_000_000),
        })
    }
}

/// What a backend allows, from its metadata.
#[derive(Debug, Clone, Copy)]
struct Limits {
    lease: Duration,
    retention: Duration,
    length_max: u32,
}

/// The metadata of the reference page's example.
const EXAMPLE: &str = "\
- name: retention
  value: 24h
- name: maxLength
  value: 100000
";

/// The driver's entry in the registry.
pub(crate) fn driver() -> Driver {
    Driver::new(
        "pubsub.sqlite",
        &["v1"],
        "A durable queue with consumer groups in a SQLite file",
        |context, metadata| async move { Ok(Opened::pubsub(open(context, metadata).await?)) },
    )
    .example(EXAMPLE)
}

async fn open(context: OpenContext, metadata: SqliteMetadata) -> Result<SqlitePubSub, OpenError> {
    let location = Location::parse(metadata.connection_string.as_deref(), &context)?;
    let limits = metadata.limits()?;
    let database = Database::shared(&context, location, metadata.options()).await?;
    let broker = Broker::shared(&context, database).await?;
    let housekeeping = tokio::spawn(housekeeping::keep(
        Arc::downgrade(&broker),
        limits.retention,
    ));
    Ok(SqlitePubSub {
        broker,
        limits,
        housekeeping,
    })
}

/// An open `pubsub.sqlite`.
struct SqlitePubSub {
    /// Shared with the other backends on the file.
    broker: Arc<Broker>,
    limits: Limits,
    /// Deletes what has expired; ends with the backend.
    housekeeping: JoinHandle<()>,
}

impl Drop for SqlitePubSub {
    fn drop(&mut self) {
        self.housekeeping.abort();
    }
}

#[async_trait]
impl PubSub for SqlitePubSub {
    fn capabilities(&self) -> PubSubCapabilities {
        PubSubCapabilities {
            ttl: true,
            ordering: true,
            durable: matches!(self.broker.database.location(), Location::File(_)),
            log: false,
            history: true,
            browse: true,
            removal: true,
        }
    }

    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        let length_max = self.limits.length_max;
        let publish = self.broker.write(
            move |transaction| publish::insert(transaction, &message, length_max),
            |broker, topic| broker.wake(*topic),
        );
        publish.await.map(drop)
    }

    /// One job for all: a failing disk fails all, a full topic only its own.
    async fn bulk_publish(&self, messages: Vec<OutboundMessage>) -> Vec<Result<(), PubSubError>> {
        let length_max = self.limits.length_max;
        let count = messages.len();
        let publish = self.broker.write(
            move |transaction| publish::insert_all(transaction, &messages, length_max),
            |broker, published| {
                published
                    .iter()
                    .flatten()
                    .for_each(|topic| broker.wake(*topic))
            },
        );
        match publish.await {
            Ok(published) => published.into_iter().map(|topic| topic.map(drop)).collect(),
            Err(error) => vec![Err(error); count],
        }
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        let consumer = SqliteConsumer::join(&self.broker, &request, self.limits.lease).await?;
        Ok(Box::new(consumer))
    }

    async fn browse(
        &self,
        topic: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError> {
        let (topic, after) = (topic.to_owned(), after.map(look::id).transpose()?);
        let read = self
            .broker
            .database
            .read(move |connection| look::browse(connection, &topic, after, limit));
        read.await
    }

    async fn remove(&self, topic: &str, id: &str) -> Result<bool, PubSubError> {
        let (topic, id) = (topic.to_owned(), look::id(id)?);
        let remove = self.broker.write(
            move |transaction| settle::remove(transaction, &topic, id),
            // The next message of its partition key may be free now.
            |broker, removed_from| removed_from.iter().for_each(|topic| broker.wake(*topic)),
        );
        Ok(remove.await?.is_some())
    }

    async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError> {
        self.broker.database.read(look::depths).await
    }

    async fn ping(&self) -> Result<(), PubSubError> {
        Ok(self.broker.database.ping().await?)
    }
}

/// What an error of the engine means to a guest. Whatever another attempt may cure is `Unavailable`.
impl From<EngineError> for PubSubError {
    fn from(error: EngineError) -> Self {
        let message = error.to_string();
        match error.fault {
            Fault::Full | Fault::Io | Fault::Busy | Fault::ReadOnly | Fault::Closed => {
                Self::Unavailable(message)
            }
            Fault::TooLarge => Self::TooLarge(message),
            Fault::Corrupt | Fault::Other => Self::Other(message),
        }
    }
}
