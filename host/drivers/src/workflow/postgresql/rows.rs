//! Reading rows.

use super::{Answer, Tables};
use crate::postgresql::{Database, Statement};
use berth_blocks::workflow::{
    EventRow, InstanceKey, InstanceRow, InstanceState, Status, Timestamp, Waiting,
    WorkflowStoreError,
};
use berth_resources::{AppId, Namespace};
use bytes::Bytes;
use std::str::FromStr;
use tokio_postgres::{
    Row,
    types::{FromSql, Type},
};

/// What reads an instance and what belongs to it.
#[derive(Debug)]
pub(super) struct Reads {
    get: Statement,
    history: Statement,
    blob: Statement,
    codes: Statement,
}

/// The columns of [`instance`], of the table `i`, in its order.
pub(super) const COLUMNS: &str = "i.id, i.namespace, i.app, i.key, i.execution, i.workflow, i.parent_app, i.parent_key, \
     i.status, i.version, i.epoch, i.events, i.owner, i.ready_at, i.waiting_on, i.waiting_since, i.custom_status, \
     i.code, i.problem, i.outcome, i.created_at, i.updated_at, i.finished_at, i.expires_at";

/// Types of a key's parts.
pub(super) const KEY: [Type; 3] = [Type::TEXT, Type::TEXT, Type::TEXT];

/// What follows the parts of a key.
pub(super) fn key_and(more: &[Type]) -> Vec<Type> {
    KEY.iter().chain(more).cloned().collect()
}

/// The condition that `i` is the instance with the key of the first three parameters.
pub(super) const IS_KEY: &str = "i.namespace = $1 AND i.app = $2 AND i.key = $3";

impl Reads {
    pub(super) fn new(tables: &Tables) -> Self {
        let Tables {
            instance,
            event,
            blob,
            ..
        } = tables;
        // An instance without a row of the other table gives one row of nothing; no instance, no row.
        let of_instance = |what: &str, table: &str, condition: &str, rest: &str| {
            format!(
                "SELECT {what} FROM {instance} i LEFT JOIN LATERAL \
                 (SELECT * FROM {table} t WHERE t.inst = i.id AND {condition} {rest}) t ON true \
                 WHERE {IS_KEY}"
            )
        };
        Self {
            get: Statement::new(
                format!("SELECT {COLUMNS} FROM {instance} i WHERE {IS_KEY}"),
                &KEY,
            ),
            history: Statement::new(
                of_instance(
                    "t.seq, t.body",
                    event,
                    "t.seq >= $4",
                    "ORDER BY t.seq LIMIT $5",
                ) + " ORDER BY t.seq",
                &key_and(&[Type::INT8, Type::INT8]),
            ),
            blob: Statement::new(
                of_instance("t.bytes", blob, "t.digest = $4", ""),
                &key_and(&[Type::TEXT]),
            ),
            codes: Statement::new(
                format!(
                    "SELECT DISTINCT i.code COLLATE \"C\" FROM {instance} i \
                     WHERE i.namespace = $1 AND i.app = $2 AND i.code IS NOT NULL AND i.finished_at IS NULL \
                     ORDER BY 1"
                ),
                &[Type::TEXT, Type::TEXT],
            ),
        }
    }

    pub(super) async fn get(
        &self,
        database: &Database,
        key: &InstanceKey,
    ) -> Answer<Option<InstanceRow>> {
        let (namespace, app, id) = parts(key);
        let rows = database.rows(&self.get, &[&namespace, &app, &id]).await;
        rows?.first().map(instance).transpose()
    }

    pub(super) async fn history(
        &self,
        database: &Database,
        key: &InstanceKey,
        from: u64,
        limit: usize,
    ) -> Answer<Vec<EventRow>> {
        let (namespace, app, id) = parts(key);
        let (from, limit) = (signed(from), count(limit));
        let rows = database
            .rows(&self.history, &[&namespace, &app, &id, &from, &limit])
            .await;
        let rows = existing(rows?, key)?;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(seq) = field::<Option<i64>>(row, 0)? {
                events.push(EventRow {
                    seq: seq.unsigned_abs(),
                    body: bytes(row, 1)?,
                });
            }
        }
        Ok(events)
    }

    pub(super) async fn blob(
        &self,
        database: &Database,
        key: &InstanceKey,
        digest: &str,
    ) -> Answer<Option<Bytes>> {
        let (namespace, app, id) = parts(key);
        let rows = database
            .rows(&self.blob, &[&namespace, &app, &id, &digest])
            .await;
        let rows = existing(rows?, key)?;
        let bytes = rows
            .first()
            .map(|row| field::<Option<Vec<u8>>>(row, 0))
            .transpose()?;
        Ok(bytes.flatten().map(Bytes::from))
    }

    pub(super) async fn codes(
        &self,
        database: &Database,
        namespace: &Namespace,
        app: &AppId,
    ) -> Answer<Vec<String>> {
        let rows = database
            .rows(&self.codes, &[&namespace.as_str(), &app.as_str()])
            .await;
        let rows = rows?;
        rows.iter().map(|row| field(row, 0)).collect()
    }
}

/// The rows of something that belongs to an instance: none at all means that it does not exist.
pub(super) fn existing(rows: Vec<Row>, key: &InstanceKey) -> Answer<Vec<Row>> {
    if rows.is_empty() {
        return Err(WorkflowStoreError::NotFound(format!("there is no {key}")));
    }
    Ok(rows)
}

/// A key as statements take it.
pub(super) fn parts(key: &InstanceKey) -> (&str, &str, &str) {
    (key.namespace.as_str(), key.app.as_str(), &*key.id)
}

/// Apps as statements take them, to be compared with `namespace || '/' || app`.
pub(super) fn app_list(apps: &[(Namespace, AppId)]) -> Vec<String> {
    apps.iter()
        .map(|(namespace, app)| format!("{namespace}/{app}"))
        .collect()
}

/// A count, which PostgreSQL keeps as a signed number.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How many rows at most.
pub(super) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Reads [`COLUMNS`].
pub(super) fn instance(row: &Row) -> Answer<InstanceRow> {
    let namespace: Namespace = name(row, 1)?;
    let parent_app: Option<String> = field(row, 6)?;
    let parent_key: Option<String> = field(row, 7)?;
    let parent = parent_app
        .zip(parent_key)
        .and_then(|(app, key)| Some(InstanceKey::new(namespace.clone(), app.parse().ok()?, &key)));
    let status: String = field(row, 8)?;
    let status = Status::named(&status).ok_or_else(|| unreadable(8, &status))?;
    let since: Option<i64> = field(row, 15)?;
    let waiting = field::<Option<String>>(row, 14)?.map(|on| Waiting {
        on,
        since: Timestamp(since.unwrap_or(0)),
    });
    let time =
        |column| Ok::<_, WorkflowStoreError>(field::<Option<i64>>(row, column)?.map(Timestamp));
    Ok(InstanceRow {
        key: InstanceKey::new(namespace, name(row, 2)?, &field::<String>(row, 3)?),
        execution: field(row, 4)?,
        workflow: field(row, 5)?,
        parent,
        version: number(row, 9)?,
        epoch: number(row, 10)?,
        events: number(row, 11)?,
        owner: field(row, 12)?,
        ready_at: time(13)?,
        state: InstanceState {
            status,
            waiting,
            custom_status: field(row, 16)?,
            code: field(row, 17)?,
            problem: field(row, 18)?,
            outcome: field::<Option<Vec<u8>>>(row, 19)?.map(Bytes::from),
            finished_at: time(22)?,
            expires_at: time(23)?,
        },
        created_at: Timestamp(field(row, 20)?),
        updated_at: Timestamp(field(row, 21)?),
    })
}

/// The value of a column.
pub(super) fn field<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Answer<T> {
    row.try_get(column).map_err(|error| {
        let text = format!("column {column} of an answer: {error}: were the tables changed?");
        WorkflowStoreError::Other(text)
    })
}

/// A name that was valid when it was written.
pub(super) fn name<T: FromStr>(row: &Row, column: usize) -> Answer<T> {
    let text: &str = field(row, column)?;
    text.parse().map_err(|_| unreadable(column, text))
}

/// The reverse of [`signed`].
pub(super) fn number(row: &Row, column: usize) -> Answer<u64> {
    let number: i64 = field(row, column)?;
    u64::try_from(number).map_err(|_| unreadable(column, &number.to_string()))
}

pub(super) fn bytes(row: &Row, column: usize) -> Answer<Bytes> {
    Ok(Bytes::from(field::<Vec<u8>>(row, column)?))
}

fn unreadable(column: usize, text: &str) -> WorkflowStoreError {
    WorkflowStoreError::Other(format!(
        "column {column} of an answer holds {text:?}: was it written by another version?"
    ))
}
