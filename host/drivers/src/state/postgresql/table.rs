//! The statements on Dapr's table.

use super::{change::Change, migrations::Extras, names::Names};
use crate::{
    postgresql::{Database, Parameters, Statement},
    prefix::prefix_end,
};
use berth_blocks::state::{
    DeleteRequest, Entry, KeyPage, Operation, Precondition, SetRequest, StateError,
};
use bytes::Bytes;
use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

/// 9999-12-31T23:59:59Z: later moments cannot be written down.
const END_OF_CALENDAR: Duration = Duration::from_secs(253_402_300_799);
/// Dapr's own rule, except that Dapr shows a value until the moment has passed.
const ALIVE: &str = "(s.expires_at IS NULL OR s.expires_at > now())";
/// From a time to live in milliseconds, `NULL` for none.
const EXPIRES_AT: &str = "now() + $3 * interval '1 millisecond'";

/// The statements of one store.
#[derive(Debug)]
pub(super) struct Table {
    ping: Statement,
    get: Statement,
    get_many: Statement,
    upsert: Write,
    insert: Write,
    update: Write,
    pub(super) upsert_many: Statement,
    delete: Statement,
    delete_if: Statement,
    pub(super) delete_many: Statement,
    keys: Keys,
    content_types: bool,
}

/// One kind of write.
#[derive(Debug)]
struct Write {
    plain: Statement,
    /// Keeps the media type in the side table, in the same transaction.
    typed: Statement,
}

/// Listing, by whether a page was before and whether the prefix has an end.
#[derive(Debug)]
struct Keys {
    first: Statement,
    first_unbounded: Statement,
    next: Statement,
    next_unbounded: Statement,
}

impl Table {
    pub(super) fn new(names: &Names, extras: Extras) -> Self {
        let state = &names.state;
        let columns = columns(names, extras);
        let statement = |text: String, types: &[Type]| Statement::new(text, types);
        let insert = |unless: &'static str| {
            move |etag: &str| {
                format!(
                    "INSERT INTO {state} AS s (key, value, etag, expires_at) VALUES ($1, $2, {etag}, {EXPIRES_AT})
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now(), etag = excluded.etag,
                     expires_at = excluded.expires_at {unless}"
                )
            }
        };
        let update = |etag: &str| {
            format!(
                "UPDATE {state} AS s SET value = $2, updated_at = now(), etag = {etag}, expires_at = {EXPIRES_AT}
                 WHERE s.key = $1 AND s.etag = $4 AND {ALIVE}"
            )
        };
        let value = [Type::TEXT, Type::BYTEA, Type::FLOAT8];
        let value_if = [Type::TEXT, Type::BYTEA, Type::FLOAT8, Type::UUID];
        let key_if = [Type::TEXT, Type::UUID];
        Self {
            ping: statement("SELECT 1".to_owned(), &[]),
            get: statement(
                format!("SELECT {columns} FROM {state} AS s WHERE s.key = $1 AND {ALIVE}"),
                &[Type::TEXT],
            ),
            get_many: statement(
                format!(
                    "SELECT {columns}, s.key FROM {state} AS s WHERE s.key = ANY ($1) AND {ALIVE}"
                ),
                &[Type::TEXT_ARRAY],
            ),
            upsert: Write::new(names, &value, insert("")),
            insert: Write::new(
                names,
                &value,
                insert("WHERE s.expires_at IS NOT NULL AND s.expires_at <= now()"),
            ),
            update: Write::new(names, &value_if, update),
            upsert_many: statement(
                format!(
                    "INSERT INTO {state} AS s (key, value, etag, expires_at)
                     SELECT key, value, gen_random_uuid(), now() + ttl * interval '1 millisecond'
                     FROM unnest($1, $2, $3) AS new (key, value, ttl)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now(), etag = excluded.etag,
                     expires_at = excluded.expires_at"
                ),
                &[Type::TEXT_ARRAY, Type::BYTEA_ARRAY, Type::FLOAT8_ARRAY],
            ),
            delete: statement(format!("DELETE FROM {state} WHERE key = $1"), &[Type::TEXT]),
            delete_if: statement(
                format!("DELETE FROM {state} AS s WHERE s.key = $1 AND s.etag = $2 AND {ALIVE}"),
                &key_if,
            ),
            delete_many: statement(
                format!("DELETE FROM {state} WHERE key = ANY ($1)"),
                &[Type::TEXT_ARRAY],
            ),
            keys: Keys::new(state),
            content_types: extras.content_types,
        }
    }

    pub(super) fn keeps_content_types(&self) -> bool {
        self.content_types
    }

    pub(super) async fn ping(&self, database: &Database) -> Result<(), StateError> {
        Ok(database.rows(&self.ping, &[]).await.map(drop)?)
    }

    pub(super) async fn get(
        &self,
        database: &Database,
        key: &str,
    ) -> Result<Option<Entry>, StateError> {
        check_key(key)?;
        let rows = database.rows(&self.get, &[&key]).await?;
        rows.first().map(entry).transpose()
    }

    /// One statement for all keys.
    pub(super) async fn bulk_get(
        &self,
        database: &Database,
        keys: &[String],
    ) -> Vec<Result<Option<Entry>, StateError>> {
        let possible: Vec<&str> = keys
            .iter()
            .map(String::as_str)
            .filter(|key| check_key(key).is_ok())
            .collect();
        let found = match database.rows(&self.get_many, &[&possible]).await {
            Ok(rows) => rows,
            Err(failure) => {
                let error = StateError::from(failure);
                return keys.iter().map(|_| Err(error.clone())).collect();
            }
        };
        let mut entries: HashMap<&str, Result<Entry, StateError>> =
            HashMap::with_capacity(found.len());
        for row in &found {
            // The key stands after the columns of an entry.
            if let Ok(key) = row.try_get(4) {
                entries.insert(key, entry(row));
            }
        }
        let answer = |key: &String| {
            check_key(key)?;
            entries.get(key.as_str()).cloned().transpose()
        };
        keys.iter().map(answer).collect()
    }

    pub(super) async fn list_keys(
        &self,
        database: &Database,
        prefix: &str,
        limit: u32,
        token: Option<&str>,
    ) -> Result<KeyPage, StateError> {
        check_key(prefix)?;
        // A token from elsewhere may lie before the prefix.
        let after = token.filter(|token| *token >= prefix);
        check_key(after.unwrap_or_default())?;
        let (from, end) = (after.unwrap_or(prefix), prefix_end(prefix));
        let limit = limit.max(1);
        let rows = i64::from(limit) + 1;
        let bounded: Parameters<'_> = &[&from, &rows, &end];
        let unbounded: Parameters<'_> = &[&from, &rows];
        let (statement, parameters) = match (after, &end) {
            (None, Some(_)) => (&self.keys.first, bounded),
            (None, None) => (&self.keys.first_unbounded, unbounded),
            (Some(_), Some(_)) => (&self.keys.next, bounded),
            (Some(_), None) => (&self.keys.next_unbounded, unbounded),
        };
        let rows = database.rows(statement, parameters).await?;
        let keys: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        let mut keys = keys.map_err(|error| unreadable(&error))?;
        let more = keys.len() > limit as usize;
        keys.truncate(limit as usize);
        let next = keys.last().filter(|_| more).cloned();
        Ok(KeyPage { keys, next })
    }

    /// A write or a deletion as its statement takes it.
    pub(super) fn change<'r>(&'r self, operation: &'r Operation) -> Result<Change<'r>, StateError> {
        match operation {
            Operation::Set(request) => self.setting(request),
            Operation::Delete(request) => self.deleting(request),
        }
    }

    pub(super) fn setting<'r>(&'r self, request: &'r SetRequest) -> Result<Change<'r>, StateError> {
        check_key(&request.key)?;
        let write = match request.precondition {
            Precondition::None => &self.upsert,
            Precondition::Absent => &self.insert,
            Precondition::Etag(_) => &self.update,
        };
        let content_type = request.content_type.as_deref();
        let content_type = content_type.filter(|_| self.content_types);
        Ok(Change {
            statement: match content_type {
                Some(_) => &write.typed,
                None => &write.plain,
            },
            key: &request.key,
            value: Some((&request.value, request.ttl.and_then(millis_to_live))),
            expected: expected(&request.key, &request.precondition)?,
            typed: content_type.map(|content_type| (typed_etag(), content_type)),
            precondition: &request.precondition,
        })
    }

    pub(super) fn deleting<'r>(
        &'r self,
        request: &'r DeleteRequest,
    ) -> Result<Change<'r>, StateError> {
        check_key(&request.key)?;
        let expected = expected(&request.key, &request.precondition)?;
        Ok(Change {
            statement: match expected {
                Some(_) => &self.delete_if,
                None => &self.delete,
            },
            key: &request.key,
            value: None,
            expected,
            typed: None,
            precondition: match expected {
                Some(_) => &request.precondition,
                None => &Precondition::None,
            },
        })
    }

    #[cfg(test)]
    pub(super) fn reading(&self) -> [&Statement; 3] {
        [&self.get, &self.keys.first, &self.keys.next]
    }
}

impl Write {
    /// `write` makes the statement for an expression of the new etag.
    fn new(names: &Names, types: &[Type], write: impl Fn(&str) -> String) -> Self {
        let table = &names.content_types;
        let (etag, content_type) = (types.len() + 1, types.len() + 2);
        let written = write(&format!("${etag}"));
        let typed = format!(
            "WITH written AS ({written} RETURNING s.key)
             INSERT INTO {table} (key, etag, content_type) SELECT key, ${etag}, ${content_type} FROM written
             ON CONFLICT (key) DO UPDATE SET etag = excluded.etag, content_type = excluded.content_type"
        );
        Self {
            plain: Statement::new(write("gen_random_uuid()"), types),
            typed: Statement::new(typed, &[types, &[Type::UUID, Type::TEXT]].concat()),
        }
    }
}

impl Keys {
    fn new(state: &str) -> Self {
        let keys = |from: &str, end: &str, types: &[Type]| {
            Statement::new(
                format!(
                    "SELECT key FROM {state} AS s WHERE key COLLATE \"C\" {from} $1 {end} AND {ALIVE}
                     ORDER BY key COLLATE \"C\" LIMIT $2"
                ),
                types,
            )
        };
        let end = "AND key COLLATE \"C\" < $3";
        let bounded = [Type::TEXT, Type::INT8, Type::TEXT];
        let unbounded = [Type::TEXT, Type::INT8];
        Self {
            first: keys(">=", end, &bounded),
            first_unbounded: keys(">=", "", &unbounded),
            next: keys(">", end, &bounded),
            next_unbounded: keys(">", "", &unbounded),
        }
    }
}

/// What [`entry`] reads. The side table is asked only for values that were written with a media type.
fn columns(names: &Names, extras: Extras) -> String {
    let table = &names.content_types;
    let content_type = if extras.content_types {
        format!(
            "CASE WHEN substr(s.etag::text, 15, 1) = '8' THEN
                (SELECT t.content_type FROM {table} AS t WHERE t.key = s.key AND t.etag = s.etag) END"
        )
    } else {
        "NULL::text".to_owned()
    };
    format!("s.value, s.etag, s.expires_at, {content_type}")
}

fn entry(row: &Row) -> Result<Entry, StateError> {
    let read = || {
        let etag: Uuid = row.try_get(1)?;
        Ok(Entry {
            value: Bytes::copy_from_slice(row.try_get(0)?),
            etag: etag.to_string(),
            content_type: row.try_get(3)?,
            // Others may write any moment, infinity included.
            expires_at: row
                .try_get::<_, Option<SystemTime>>(2)?
                .filter(|moment| *moment <= UNIX_EPOCH + END_OF_CALENDAR),
        })
    };
    read().map_err(|error| unreadable(&error))
}

fn unreadable(error: &tokio_postgres::Error) -> StateError {
    StateError::Other(format!("the table is not as Dapr makes it: {error}"))
}

/// The one character that text of PostgreSQL cannot hold.
pub(super) fn check_key(key: &str) -> Result<(), StateError> {
    if key.contains('\0') {
        let key = key.escape_debug();
        return Err(StateError::Invalid(format!(
            "key `{key}` holds the character NUL, which PostgreSQL cannot store in text"
        )));
    }
    Ok(())
}

/// The etag that a change requires.
fn expected(key: &str, precondition: &Precondition) -> Result<Option<Uuid>, StateError> {
    let Precondition::Etag(etag) = precondition else {
        return Ok(None);
    };
    let uuid = Uuid::parse_str(etag)
        .map_err(|_| StateError::InvalidEtag(format!("key `{key}`: etag `{etag}` is no UUID")))?;
    Ok(Some(uuid))
}

/// The etag of a value with a media type: random, and told apart from others by its version.
fn typed_etag() -> Uuid {
    uuid::Builder::from_custom_bytes(rand::random()).into_uuid()
}

/// `None` if the end is too far away to be written down.
pub(super) fn millis_to_live(ttl: Duration) -> Option<f64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    (now.checked_add(ttl)? <= END_OF_CALENDAR).then_some(ttl.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_beyond_the_calendar_is_none() {
        assert_eq!(millis_to_live(Duration::from_secs(60)), Some(60_000.0));
        assert_eq!(millis_to_live(Duration::from_secs(1 << 40)), None);
        assert_eq!(millis_to_live(Duration::MAX), None);
    }

    #[test]
    fn the_etag_of_a_typed_value_is_a_uuid_of_version_8() {
        let etag = typed_etag();
        assert_eq!(etag.get_version_num(), 8);
        assert_eq!(etag.to_string().as_bytes()[14], b'8');
        assert_ne!(etag, typed_etag());
    }
}
