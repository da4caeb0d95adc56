//! Dapr's tables: their definition and the statements on them.

use crate::{
    prefix::prefix_end,
    sqlite::{Database, EngineError, JobError, refused},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use berth_blocks::{
    registry::OpenError,
    state::{DeleteRequest, Entry, KeyPage, Precondition, SetRequest, StateError},
};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, types::ValueRef};
use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;

/// Now, in the form of the column `expiration_time`.
const NOW: &str = "strftime('%Y-%m-%d %H:%M:%f', 'now')";

/// Expired rows that one transaction deletes, so that writers do not wait long.
const COLLECTED_ROWS: u32 = 1_000;

/// The layout of Dapr that this driver knows, as Dapr counts it.
const DAPR_MIGRATIONS: u32 = 1;

type Answer<T> = Result<T, JobError<StateError>>;

/// The statements on one table.
#[derive(Debug)]
pub(super) struct Table {
    /// Dapr's record of migrations.
    metadata: String,
    create: String,
    get: String,
    upsert: String,
    insert: String,
    update: String,
    etag: String,
    delete: String,
    delete_if: String,
    keep_content_type: String,
    forget_content_type: String,
    keys: String,
    collect: String,
    collect_content_types: String,
}

impl Table {
    /// The statements, for the names of the two tables.
    pub(super) fn new(name: Option<&str>, metadata: Option<&str>) -> Result<Self, OpenError> {
        let name = identifier("tableName", name.unwrap_or("state"))?;
        let metadata = identifier("metadataTableName", metadata.unwrap_or("metadata"))?;
        let types = format!("{name}_content_type");
        let alive = format!("(expiration_time IS NULL OR expiration_time > {NOW})");
        let insert = format!(
            "INSERT INTO {name} (key, value, is_binary, etag, expiration_time, update_time)
             VALUES (?1, ?2, ?3, ?4, strftime('%Y-%m-%d %H:%M:%f', ?5 / 1000.0, 'unixepoch'), CURRENT_TIMESTAMP)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, is_binary = excluded.is_binary,
             etag = excluded.etag, expiration_time = excluded.expiration_time, update_time = excluded.update_time"
        );
        Ok(Self {
            create: format!(
                "CREATE TABLE IF NOT EXISTS {name} (
                    key TEXT NOT NULL PRIMARY KEY,
                    value TEXT NOT NULL,
                    is_binary BOOLEAN NOT NULL,
                    etag TEXT NOT NULL,
                    expiration_time TIMESTAMP DEFAULT NULL,
                    update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
                 );
                 CREATE INDEX IF NOT EXISTS {name}_expires ON {name} (expiration_time)
                    WHERE expiration_time IS NOT NULL;
                 CREATE TABLE IF NOT EXISTS {types} (
                    key TEXT NOT NULL PRIMARY KEY,
                    etag TEXT NOT NULL,
                    content_type TEXT NOT NULL
                 ) WITHOUT ROWID, STRICT"
            ),
            get: format!(
                "SELECT value, is_binary, s.etag, content_type,
                    CAST(round(unixepoch(expiration_time, 'subsec') * 1000) AS INTEGER)
                 FROM {name} s LEFT JOIN {types} t ON t.key = s.key AND t.etag = s.etag
                 WHERE s.key = ?1 AND {alive}"
            ),
            upsert: insert.clone(),
            insert: format!("{insert} WHERE {name}.expiration_time <= {NOW}"),
            update: format!(
                "UPDATE {name} SET value = ?2, is_binary = ?3, etag = ?4,
                    expiration_time = strftime('%Y-%m-%d %H:%M:%f', ?5 / 1000.0, 'unixepoch'),
                    update_time = CURRENT_TIMESTAMP
                 WHERE key = ?1 AND etag = ?6 AND {alive}"
            ),
            etag: format!("SELECT etag FROM {name} WHERE key = ?1 AND {alive}"),
            delete: format!("DELETE FROM {name} WHERE key = ?1"),
            delete_if: format!("DELETE FROM {name} WHERE key = ?1 AND etag = ?2 AND {alive}"),
            keep_content_type: format!(
                "INSERT OR REPLACE INTO {types} (key, etag, content_type) VALUES (?1, ?2, ?3)"
            ),
            forget_content_type: format!("DELETE FROM {types} WHERE key = ?1"),
            keys: format!(
                "SELECT key FROM {name} WHERE key >= ?1 AND key < ?2 AND {alive} ORDER BY key LIMIT ?3"
            ),
            collect: format!(
                "DELETE FROM {name} WHERE rowid IN (SELECT rowid FROM {name}
                    WHERE expiration_time IS NOT NULL AND expiration_time <= {NOW} LIMIT ?1)"
            ),
            collect_content_types: format!(
                "DELETE FROM {types} WHERE NOT EXISTS
                    (SELECT 1 FROM {name} s WHERE s.key = {types}.key AND s.etag = {types}.etag)"
            ),
            metadata,
        })
    }

    /// Makes the tables if they are not there.
    pub(super) async fn prepare(self: &Arc<Self>, database: &Database) -> Result<(), OpenError> {
        let table = self.clone();
        let prepared = database.write(move |transaction| table.migrate(transaction));
        prepared
            .await
            .map_err(|error: StateError| OpenError::Backend(format!("preparing tables: {error}")))
    }

    fn migrate(&self, transaction: &Transaction<'_>) -> Answer<()> {
        let metadata = &self.metadata;
        transaction.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {metadata} (key text NOT NULL PRIMARY KEY, value text NOT NULL)"
        ))?;
        let level: Option<String> = transaction
            .query_row(
                &format!("SELECT value FROM {metadata} WHERE key = 'migrations'"),
                [],
                |row| row.get(0),
            )
            .optional()?;
        let level = level.unwrap_or_else(|| "0".to_owned());
        let level = match level.parse::<u32>() {
            Ok(level) if level <= DAPR_MIGRATIONS => level,
            _ => {
                return refused(StateError::Other(format!(
                    "table `{metadata}` says that a newer Dapr has made the tables (migrations = {level}, known is \
                     {DAPR_MIGRATIONS}): use another file or other table names"
                )));
            }
        };
        transaction.execute_batch(&self.create)?;
        if level < DAPR_MIGRATIONS {
            transaction.execute(
                &format!(
                    "INSERT OR REPLACE INTO {metadata} (key, value) VALUES ('migrations', ?1)"
                ),
                [DAPR_MIGRATIONS.to_string()],
            )?;
        }
        Ok(())
    }

    pub(super) fn get(&self, connection: &Connection, key: &str) -> Answer<Option<Entry>> {
        let mut statement = connection.prepare_cached(&self.get)?;
        let mut rows = statement.query([key])?;
        rows.next()?.map(|row| entry(key, row)).transpose()
    }

    pub(super) fn set(&self, transaction: &Transaction<'_>, request: &SetRequest) -> Answer<()> {
        let key = &request.key;
        let (value, is_binary) = stored_form(&request.value);
        let etag = Uuid::new_v4().to_string();
        let expires_at = request.ttl.and_then(expiry_millis);
        let values = (key, &*value, is_binary, &etag, expires_at);
        let written = match &request.precondition {
            Precondition::None => transaction.prepare_cached(&self.upsert)?.execute(values)?,
            Precondition::Absent => transaction.prepare_cached(&self.insert)?.execute(values)?,
            Precondition::Etag(expected) => {
                let values = (key, &*value, is_binary, &etag, expires_at, expected);
                transaction.prepare_cached(&self.update)?.execute(values)?
            }
        };
        if written == 0 {
            return self.conflict(transaction, key, &request.precondition);
        }
        if let Some(content_type) = &request.content_type {
            let values = (key, &etag, content_type);
            transaction
                .prepare_cached(&self.keep_content_type)?
                .execute(values)?;
        }
        Ok(())
    }

    pub(super) fn delete(
        &self,
        transaction: &Transaction<'_>,
        request: &DeleteRequest,
    ) -> Answer<()> {
        let key = &request.key;
        match &request.precondition {
            Precondition::Etag(expected) => {
                let mut delete = transaction.prepare_cached(&self.delete_if)?;
                if delete.execute((key, expected))? == 0 {
                    return self.conflict(transaction, key, &request.precondition);
                }
            }
            Precondition::None | Precondition::Absent => {
                transaction.prepare_cached(&self.delete)?.execute([key])?;
            }
        }
        transaction
            .prepare_cached(&self.forget_content_type)?
            .execute([key])?;
        Ok(())
    }

    /// Says what the key holds instead.
    fn conflict(
        &self,
        transaction: &Transaction<'_>,
        key: &str,
        wanted: &Precondition,
    ) -> Answer<()> {
        let mut etag = transaction.prepare_cached(&self.etag)?;
        let present: Option<String> = etag.query_row([key], |row| row.get(0)).optional()?;
        refused(StateError::Conflict(match (present, wanted) {
            (Some(etag), Precondition::Etag(wanted)) => {
                format!("key `{key}` has etag `{etag}`, not `{wanted}`")
            }
            (None, Precondition::Etag(wanted)) => {
                format!("key `{key}` does not exist, so it has no etag `{wanted}`")
            }
            (_, Precondition::Absent | Precondition::None) => {
                format!("key `{key}` exists, and a first write needs it absent")
            }
        }))
    }

    pub(super) fn list_keys(
        &self,
        connection: &Connection,
        prefix: &str,
        limit: u32,
        token: Option<&str>,
    ) -> Answer<KeyPage> {
        let limit = limit.max(1);
        // The smallest text after the token is the token and a zero byte.
        let after_token = token.map(|token| format!("{token}\0"));
        let from = after_token.as_deref().unwrap_or(prefix).max(prefix);
        // Any text is smaller than any blob.
        let end = prefix_end(prefix);
        let end = end.as_deref().map_or(ValueRef::Blob(&[]), ValueRef::from);
        let mut statement = connection.prepare_cached(&self.keys)?;
        let mut rows = statement.query((
            from,
            rusqlite::types::ToSqlOutput::Borrowed(end),
            i64::from(limit) + 1,
        ))?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            keys.push(row.get(0)?);
        }
        let more = keys.len() > limit as usize;
        keys.truncate(limit as usize);
        let next = keys.last().filter(|_| more).cloned();
        Ok(KeyPage { keys, next })
    }

    /// Deletes expired rows, a few per transaction.
    pub(super) async fn collect_expired(
        self: &Arc<Self>,
        database: &Database,
    ) -> Result<(), EngineError> {
        loop {
            let table = self.clone();
            let deleted = database.apply(move |transaction| {
                transaction
                    .prepare_cached(&table.collect)?
                    .execute([COLLECTED_ROWS])
            });
            if deleted.await? < COLLECTED_ROWS as usize {
                break;
            }
        }
        let table = self.clone();
        let orphans = database
            .apply(move |transaction| transaction.execute(&table.collect_content_types, []));
        orphans.await.map(drop)
    }
}

/// A table name goes into statements as it is.
fn identifier(field: &str, name: &str) -> Result<String, OpenError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let digit_first = name.starts_with(|c: char| c.is_ascii_digit());
    if name.is_empty() || digit_first || !name.chars().all(plain) {
        return Err(OpenError::Metadata {
            field: field.to_owned(),
            message: format!(
                "`{name}` is not a table name: expected letters, digits and `_`, no digit first"
            ),
        });
    }
    Ok(name.to_owned())
}

/// Text as it is, other bytes in base64. A zero byte would end a text for half of SQLite's tools.
fn stored_form(value: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(value) {
        Ok(text) if !value.contains(&0) => (text.into(), false),
        _ => (BASE64_STANDARD.encode(value).into(), true),
    }
}

fn entry(key: &str, row: &Row<'_>) -> Answer<Entry> {
    let stored = match row.get_ref(0)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => &[],
    };
    let value = if row.get(1)? {
        let decoded = BASE64_STANDARD.decode(stored);
        decoded.map(Bytes::from).map_err(|error| {
            JobError::Refused(StateError::Other(format!(
                "key `{key}` is marked as binary, but its value is no base64: {error}"
            )))
        })?
    } else {
        Bytes::copy_from_slice(stored)
    };
    Ok(Entry {
        value,
        etag: row.get(2)?,
        content_type: row.get(3)?,
        expires_at: row.get::<_, Option<i64>>(4)?.and_then(time_of),
    })
}

fn time_of(millis: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis.try_into().ok()?))
}

/// When a value with this time to live ends; `None` if that is too far away to be written down (year 10000).
fn expiry_millis(ttl: Duration) -> Option<i64> {
    const END_OF_CALENDAR: i64 = 253_402_300_799_999;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let at = i64::try_from(now.checked_add(ttl)?.as_millis()).ok()?;
    (at <= END_OF_CALENDAR).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    impl Table {
        /// How the engine finds the rows of the reading statements.
        pub(crate) fn plans(&self, connection: &Connection) -> rusqlite::Result<Vec<String>> {
            let mut steps = Vec::new();
            for statement in [&self.get, &self.keys, &self.etag] {
                let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}"))?;
                let rows = plan
                    .raw_query()
                    .mapped(|row| row.get(3))
                    .collect::<Result<Vec<_>, _>>()?;
                steps.extend(rows);
            }
            Ok(steps)
        }

        /// How often the engine compiles a statement that reads several keys, after the first time.
        pub(crate) fn compiled_again(&self, connection: &Connection) -> rusqlite::Result<i32> {
            for key in ["one", "another", "a third"] {
                self.get(connection, key)
                    .map_err(|_| rusqlite::Error::InvalidQuery)?;
            }
            let get = connection.prepare_cached(&self.get)?;
            Ok(get.get_status(StatementStatus::RePrepare))
        }
    }

    #[test]
    fn a_time_to_live_beyond_the_calendar_is_none() {
        assert!(expiry_millis(Duration::from_secs(60)).is_some());
        assert_eq!(expiry_millis(Duration::from_secs(1 << 40)), None);
        assert_eq!(expiry_millis(Duration::MAX), None);
    }
}
