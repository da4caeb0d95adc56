//! `state.sqlite`: state in a SQLite file, in the tables that Dapr uses, so that both can open the same file.
//!
//! Text is stored as text and other bytes in base64, as Dapr reads them. The media type has no column there: it is
//! kept in a side table that Dapr does not know. Dapr counts time to live in seconds, this driver in milliseconds of
//! the same column.

mod table;
#[cfg(test)]
mod tests;

use crate::{
    sqlite::{Database, EngineError, Fault, Journal, Location, Options, Synchronous},
    workflow::sqlite::SqliteWorkflows,
};
use async_trait::async_trait;
use berth_blocks::{
    registry::{
        Driver, OpenContext, OpenError, Opened,
        metadata::{Confidential, DurationOrMillis, DurationOrSeconds},
    },
    state::{
        DeleteRequest, Entry, GetOptions, KeyPage, Operation, SetRequest, StateCapabilities,
        StateError, StateStore,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    future::Future,
    sync::{Arc, Weak},
    time::Duration,
};
use table::Table;
use tokio::task::JoinHandle;

/// Operations of one transaction, which the other callers of the file wait for.
const TRANSACTION_OPERATIONS_MAX: usize = 10_000;

/// Metadata of `state.sqlite`. The doc comments become the reference page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SqliteMetadata {
    /// Path of the file, relative to the working directory, a `file:` URI, or `:memory:`. Default: the file that the
    /// embedded backends of the namespace share.
    #[serde(default, alias = "url")]
    connection_string: Option<Confidential>,
    /// Table of the values, default `state`.
    #[serde(default)]
    table_name: Option<String>,
    /// Table of Dapr's record of migrations, default `metadata`.
    #[serde(default)]
    metadata_table_name: Option<String>,
    /// The longest that a call may take, at least `1s`; default `20s`.
    #[serde(default, alias = "timeoutInSeconds")]
    timeout: Option<DurationOrSeconds>,
    /// How often expired values are deleted; they cannot be read before that either. `0` turns it off; default `1m`.
    #[serde(default, alias = "cleanupIntervalInSeconds")]
    cleanup_interval: Option<DurationOrSeconds>,
    /// How long a write waits for another process that holds the file; default `2s`.
    #[serde(default)]
    busy_timeout: Option<DurationOrMillis>,
    /// Does without the write-ahead log, which does not work on network file systems. Reads wait for writes then.
    #[serde(default, rename = "disableWAL")]
    disable_wal: bool,
    /// `full`: a write is on the disk when it is answered. `normal`: faster, but a power failure may undo the last
    /// writes. Default `full`; not known to Dapr.
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

    fn timeout(&self) -> Result<Duration, OpenError> {
        let timeout = self.timeout.as_ref();
        let timeout = timeout.map_or(Duration::from_secs(20), |timeout| timeout.0);
        if timeout < Duration::from_secs(1) {
            return Err(OpenError::Metadata {
                field: "timeout".to_owned(),
                message: format!("{timeout:?} is too short: expected at least 1s"),
            });
        }
        Ok(timeout)
    }
}

/// The metadata of the reference page's example.
const EXAMPLE: &str = "\
- name: connectionString
  value: data/state.db
";

/// The driver's entry in the registry.
pub(crate) fn driver() -> Driver {
    Driver::new(
        "state.sqlite",
        &["v1"],
        "State in a SQLite file, in Dapr's layout",
        |context, metadata| async move {
            let state = open(context, metadata).await?;
            let workflows = SqliteWorkflows::new(state.database.clone());
            Ok(Opened {
                workflows: Some(Arc::new(workflows)),
                ..Opened::state(state)
            })
        },
    )
    .example(EXAMPLE)
}

async fn open(context: OpenContext, metadata: SqliteMetadata) -> Result<SqliteState, OpenError> {
    let connection_string = metadata.connection_string.as_ref();
    let location = Location::parse(connection_string.map(|text| text.0.reveal()), &context)?;
    let table = Arc::new(Table::new(
        metadata.table_name.as_deref(),
        metadata.metadata_table_name.as_deref(),
    )?);
    let timeout = metadata.timeout()?;
    let database = Database::shared(&context, location, metadata.options()).await?;
    table.prepare(&database).await?;
    let every = metadata
        .cleanup_interval
        .map_or(Duration::from_secs(60), |interval| interval.0);
    let cleanup = (!every.is_zero()).then(|| {
        tokio::spawn(collect_expired(
            Arc::downgrade(&database),
            table.clone(),
            every,
        ))
    });
    Ok(SqliteState {
        database,
        table,
        timeout,
        cleanup,
    })
}

/// Deletes expired values now and then, until the file is closed.
async fn collect_expired(database: Weak<Database>, table: Arc<Table>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(database) = database.upgrade() else {
            return;
        };
        if let Err(error) = table.collect_expired(&database).await {
            tracing::warn!(%error, "deleting expired state");
        }
    }
}

/// An open `state.sqlite`.
struct SqliteState {
    /// Shared with the other backends of the file.
    database: Arc<Database>,
    /// The statements, by the table's name.
    table: Arc<Table>,
    /// The longest that a call may take.
    timeout: Duration,
    /// Deletes expired values; ends with the store.
    cleanup: Option<JoinHandle<()>>,
}

impl Drop for SqliteState {
    fn drop(&mut self) {
        if let Some(cleanup) = &self.cleanup {
            cleanup.abort();
        }
    }
}

impl SqliteState {
    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, StateError>>,
    ) -> Result<T, StateError> {
        let answer = tokio::time::timeout(self.timeout, call).await;
        answer.unwrap_or_else(|_| {
            Err(StateError::Timeout(format!(
                "{}: no answer within {:?} (`timeout`)",
                self.database.location(),
                self.timeout
            )))
        })
    }
}

#[async_trait]
impl StateStore for SqliteState {
    fn capabilities(&self) -> StateCapabilities {
        StateCapabilities {
            etag: true,
            transactions: Some(TRANSACTION_OPERATIONS_MAX),
            ttl: true,
            list_keys: true,
            content_type: true,
        }
    }

    async fn get(&self, key: &str, _: &GetOptions) -> Result<Option<Entry>, StateError> {
        let (table, key) = (self.table.clone(), key.to_owned());
        let read = self
            .database
            .read(move |connection| table.get(connection, &key));
        self.in_time(read).await
    }

    async fn set(&self, request: SetRequest) -> Result<(), StateError> {
        let table = self.table.clone();
        let write = self
            .database
            .write(move |transaction| table.set(transaction, &request));
        self.in_time(write).await
    }

    async fn delete(&self, request: DeleteRequest) -> Result<(), StateError> {
        let table = self.table.clone();
        let write = self
            .database
            .write(move |transaction| table.delete(transaction, &request));
        self.in_time(write).await
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<(), StateError> {
        if operations.len() > TRANSACTION_OPERATIONS_MAX {
            return Err(StateError::TooLarge(format!(
                "a transaction of {} operations: at most {TRANSACTION_OPERATIONS_MAX} are possible",
                operations.len()
            )));
        }
        let table = self.table.clone();
        let write = self.database.write(move |transaction| {
            operations.iter().try_for_each(|operation| match operation {
                Operation::Set(request) => table.set(transaction, request),
                Operation::Delete(request) => table.delete(transaction, request),
            })
        });
        self.in_time(write).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        limit: u32,
        token: Option<&str>,
    ) -> Result<KeyPage, StateError> {
        let table = self.table.clone();
        let (prefix, token) = (prefix.to_owned(), token.map(str::to_owned));
        let read = self
            .database
            .read(move |connection| table.list_keys(connection, &prefix, limit, token.as_deref()));
        self.in_time(read).await
    }

    async fn bulk_get(
        &self,
        keys: &[String],
        _: &GetOptions,
    ) -> Vec<Result<Option<Entry>, StateError>> {
        let (table, asked) = (self.table.clone(), keys.to_vec());
        let read = self.database.read(move |connection| {
            asked
                .iter()
                .map(|key| table.get(connection, key))
                .collect::<Result<Vec<_>, _>>()
        });
        match self.in_time(read).await {
            Ok(entries) => entries.into_iter().map(Ok).collect(),
            Err(error) => keys.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn ping(&self) -> Result<(), StateError> {
        self.in_time(async { Ok(self.database.ping().await?) })
            .await
    }
}

/// What an error of the engine means to a guest. Whatever another attempt may cure is `Unavailable`.
impl From<EngineError> for StateError {
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
