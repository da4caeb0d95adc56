//! `sqlite`: the hosts of one user on one machine, in a file that they share.
//!
//! A host writes a row per app, again with every heartbeat; rows that were not renewed for three of them are stale.
//! Times are those of the machine's clock, which all hosts share. The table is berth's own: a Dapr sidecar does not
//! speak to hosts.

use crate::sqlite::{Database, EngineError, Location, Options};
use async_trait::async_trait;
use berth_blocks::{
    invocation::Target,
    registry::{OpenContext, OpenError, metadata::DurationOrSeconds},
    resolution::{Announcement, ResolveError, Resolver},
};
use berth_resources::StaticApp;
use rusqlite::Transaction;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::OnceCell;

/// Name of the file in the user's folder.
const FILE: &str = "hosts.db";
/// Dapr's `updateInterval`.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Heartbeats that may be missed before a host counts as gone.
const MISSED_MAX: u32 = 3;

const TABLES: &[&str] = &["CREATE TABLE berth_hosts (
    host TEXT NOT NULL, namespace TEXT NOT NULL, app TEXT NOT NULL, address TEXT NOT NULL,
    seen_ms INTEGER NOT NULL, PRIMARY KEY (namespace, app, host)
) STRICT, WITHOUT ROWID"];

/// Settings of `sqlite`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Settings {
    /// The file; default: `hosts.db` in the user's folder of berth.
    #[serde(default)]
    connection_string: Option<String>,
    /// Time between two heartbeats; default `5s`.
    #[serde(default)]
    update_interval: Option<DurationOrSeconds>,
    /// Accepted for Dapr's documents: the file has one writer, and calls have their deadlines.
    #[serde(default, rename = "timeout")]
    _timeout: Option<String>,
    /// Accepted for Dapr's documents: the table is berth's own.
    #[serde(default, rename = "tableName")]
    _table_name: Option<String>,
    /// Accepted for Dapr's documents: there is no such table.
    #[serde(default, rename = "metadataTableName")]
    _metadata_table_name: Option<String>,
    /// Accepted for Dapr's documents: stale rows go with every heartbeat.
    #[serde(default, rename = "cleanupInterval")]
    _cleanup_interval: Option<String>,
    /// How long a transaction waits for another host; default `2s`.
    #[serde(default)]
    busy_timeout: Option<DurationOrSeconds>,
}

/// An open registry.
pub(super) struct Sqlite {
    context: OpenContext,
    location: Location,
    options: Options,
    heartbeat: Duration,
    now: fn() -> SystemTime,
    database: OnceCell<Arc<Database>>,
}

pub(super) fn open(
    context: OpenContext,
    settings: Settings,
    _apps: Vec<StaticApp>,
) -> Result<Sqlite, OpenError> {
    let default = context.data_dir.join(FILE).display().to_string();
    let file = settings.connection_string.unwrap_or(default);
    let heartbeat = settings
        .update_interval
        .map_or(HEARTBEAT, |interval| interval.0);
    if heartbeat.is_zero() {
        return Err(OpenError::Metadata {
            field: "updateInterval".to_owned(),
            message: "expected more than nothing".to_owned(),
        });
    }
    let mut options = Options::default();
    if let Some(timeout) = settings.busy_timeout {
        options.busy_timeout = timeout.0;
    }
    Ok(Sqlite {
        location: Location::parse(Some(&file), &context)?,
        context,
        options,
        heartbeat,
        now: SystemTime::now,
        database: OnceCell::new(),
    })
}

impl Sqlite {
    async fn database(&self) -> Result<&Database, ResolveError> {
        let opened = self.database.get_or_try_init(|| async {
            let (location, options) = (self.location.clone(), self.options.clone());
            let database = Database::shared(&self.context, location, options).await?;
            database.migrate("nameresolution", TABLES).await?;
            Ok(database)
        });
        let opened = opened.await;
        opened
            .map(AsRef::as_ref)
            .map_err(|error: OpenError| ResolveError(error.to_string()))
    }

    fn now_ms(&self) -> i64 {
        let now = (self.now)().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
    }

    /// What was seen before is stale.
    fn stale_ms(&self) -> i64 {
        let life = (self.heartbeat * MISSED_MAX).as_millis();
        self.now_ms()
            .saturating_sub(i64::try_from(life).unwrap_or(i64::MAX))
    }
}

#[async_trait]
impl Resolver for Sqlite {
    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, ResolveError> {
        let (namespace, app) = (target.namespace.to_string(), target.app.to_string());
        let stale = self.stale_ms();
        let rows = self.database().await?.read(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT address FROM berth_hosts WHERE namespace = ?1 AND app = ?2 AND seen_ms > ?3",
            )?;
            let rows = select.query_map((namespace, app, stale), |row| row.get::<_, String>(0))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        });
        let addresses = rows.await.map_err(|error: EngineError| failed(&error))?;
        // A row that is no address was not written by us.
        Ok(addresses
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect())
    }

    fn heartbeat(&self) -> Option<Duration> {
        Some(self.heartbeat)
    }

    async fn announce(&self, own: &Announcement) -> Result<(), ResolveError> {
        let (own, now, stale) = (own.clone(), self.now_ms(), self.stale_ms());
        // A heartbeat that a power failure undoes is followed by the next one.
        let written = self.database().await?.write_relaxed(
            move |transaction| Ok(announce(transaction, &own, now, stale)?),
            |()| (),
        );
        written.await.map_err(|error: EngineError| failed(&error))
    }

    async fn withdraw(&self, host: &str) -> Result<(), ResolveError> {
        let host = host.to_owned();
        let written = self.database().await?.write_relaxed(
            move |transaction| {
                transaction.execute("DELETE FROM berth_hosts WHERE host = ?1", [host])?;
                Ok(())
            },
            |()| (),
        );
        written.await.map_err(|error: EngineError| failed(&error))
    }
}

fn announce(
    transaction: &Transaction<'_>,
    own: &Announcement,
    now: i64,
    stale: i64,
) -> Result<(), rusqlite::Error> {
    transaction.execute(
        "DELETE FROM berth_hosts WHERE host = ?1 OR seen_ms <= ?2",
        (&own.host, stale),
    )?;
    let address = own.address.to_string();
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO berth_hosts (host, namespace, app, address, seen_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for app in &own.apps {
        let (namespace, app) = (app.namespace.as_str(), app.app.as_str());
        insert.execute((&own.host, namespace, app, &address, now))?;
    }
    Ok(())
}

fn failed(error: &EngineError) -> ResolveError {
    ResolveError(error.to_string())
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
