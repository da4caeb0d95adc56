//! Reading rows.

use super::Answer;
use berth_blocks::workflow::{
    EventRow, InstanceKey, InstancePage, InstanceQuery, InstanceRow, InstanceState, Status,
    Timestamp, Waiting, WorkflowStoreError,
};
use berth_resources::{AppId, Namespace};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, types::Type};

/// An instance's number within the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instance(pub(super) i64);

/// A row with its number.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) instance: Instance,
    pub(super) row: InstanceRow,
}

/// The columns of [`found`], in its order.
pub(super) const COLUMNS: &str = "i.id, i.namespace, i.app, i.key, i.execution, i.workflow, i.parent_app, i.parent_key, \
     i.status, i.version, i.epoch, i.events, h.name, i.ready_at, i.waiting_on, i.waiting_since, i.custom_status, \
     i.problem, i.outcome, i.created_at, i.updated_at, i.finished_at, i.expires_at, i.code \
     FROM workflow_instance i LEFT JOIN workflow_host h ON h.id = i.owner";

/// Reads [`COLUMNS`].
pub(super) fn found(row: &Row<'_>) -> Result<Found, rusqlite::Error> {
    let namespace: Namespace = name(row, 1)?;
    let parent_app: Option<String> = row.get(6)?;
    let parent_key: Option<String> = row.get(7)?;
    let parent = parent_app
        .zip(parent_key)
        .and_then(|(app, key)| Some(InstanceKey::new(namespace.clone(), app.parse().ok()?, &key)));
    let status: String = row.get(8)?;
    let status = Status::named(&status).ok_or_else(|| unreadable(8, &status))?;
    let waiting_on: Option<String> = row.get(14)?;
    let waiting_since: Option<i64> = row.get(15)?;
    let waiting = waiting_on.map(|on| Waiting {
        on,
        since: Timestamp(waiting_since.unwrap_or(0)),
    });
    let time = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp));
    Ok(Found {
        instance: Instance(row.get(0)?),
        row: InstanceRow {
            key: InstanceKey::new(namespace, name(row, 2)?, &row.get::<_, String>(3)?),
            execution: row.get(4)?,
            workflow: row.get(5)?,
            parent,
            version: number(row, 9)?,
            epoch: number(row, 10)?,
            events: number(row, 11)?,
            owner: row.get(12)?,
            ready_at: time(13)?,
            state: InstanceState {
                status,
                waiting,
                custom_status: row.get(16)?,
                code: row.get(23)?,
                problem: row.get(17)?,
                outcome: row.get::<_, Option<Vec<u8>>>(18)?.map(Bytes::from),
                finished_at: time(21)?,
                expires_at: time(22)?,
            },
            created_at: Timestamp(row.get(19)?),
            updated_at: Timestamp(row.get(20)?),
        },
    })
}

/// A name that was valid when it was written.
pub(super) fn name<T: std::str::FromStr>(
    row: &Row<'_>,
    column: usize,
) -> Result<T, rusqlite::Error> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| unreadable(column, &text))
}

/// A count, which SQLite keeps as a signed number.
pub(super) fn number(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| unreadable(column, &number.to_string()))
}

/// The reverse of [`number`].
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unreadable(column: usize, text: &str) -> rusqlite::Error {
    let why = format!("unexpected value {text:?}: was the file written by another version?");
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, why.into())
}

/// The row of an instance.
pub(super) fn find(
    connection: &Connection,
    key: &InstanceKey,
) -> Result<Option<Found>, rusqlite::Error> {
    let sql = format!("SELECT {COLUMNS} WHERE i.namespace = ?1 AND i.app = ?2 AND i.key = ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    statement
        .query_row((key.namespace.as_str(), key.app.as_str(), &*key.id), found)
        .optional()
}

/// The number of an instance.
pub(super) fn instance(connection: &Connection, key: &InstanceKey) -> Answer<Instance> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM workflow_instance WHERE namespace = ?1 AND app = ?2 AND key = ?3",
    )?;
    let id = statement
        .query_row(
            (key.namespace.as_str(), key.app.as_str(), &*key.id),
            |row| row.get(0),
        )
        .optional()?;
    match id {
        Some(id) => Ok(Instance(id)),
        None => crate::sqlite::refused(WorkflowStoreError::NotFound(format!("there is no {key}"))),
    }
}

pub(super) fn history(
    connection: &Connection,
    key: &InstanceKey,
    from: u64,
    limit: usize,
) -> Answer<Vec<EventRow>> {
    let instance = instance(connection, key)?;
    let mut statement = connection.prepare_cached(
        "SELECT seq, body FROM workflow_event WHERE inst = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let events = statement.query_map((instance.0, signed(from), limit), |row| {
        Ok(EventRow {
            seq: number(row, 0)?,
            body: Bytes::from(row.get::<_, Vec<u8>>(1)?),
        })
    })?;
    Ok(events.collect::<Result<_, _>>()?)
}

pub(super) fn blob(
    connection: &Connection,
    key: &InstanceKey,
    digest: &str,
) -> Answer<Option<Bytes>> {
    let instance = instance(connection, key)?;
    let mut statement = connection
        .prepare_cached("SELECT bytes FROM workflow_blob WHERE inst = ?1 AND digest = ?2")?;
    let bytes: Option<Vec<u8>> = statement
        .query_row((instance.0, digest), |row| row.get(0))
        .optional()?;
    Ok(bytes.map(Bytes::from))
}

/// Apps in the form in which statements take them: a JSON list of `namespace/app`.
pub(super) fn app_list(apps: &[(Namespace, AppId)]) -> String {
    let names = apps
        .iter()
        .map(|(namespace, app)| format!("{namespace}/{app}"));
    serde_json::Value::from_iter(names).to_string()
}

/// Digests that instances need which have not ended.
pub(super) fn codes(
    connection: &Connection,
    namespace: &Namespace,
    app: &AppId,
) -> Answer<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT code FROM workflow_instance \
         WHERE namespace = ?1 AND app = ?2 AND code IS NOT NULL AND finished_at IS NULL ORDER BY code",
    )?;
    let codes = statement.query_map((namespace.as_str(), app.as_str()), |row| row.get(0))?;
    Ok(codes.collect::<Result<_, _>>()?)
}

/// Conditions of a query, with their values.
#[derive(Default)]
struct Conditions {
    texts: Vec<String>,
    values: Vec<Box<dyn ToSql>>,
}

impl Conditions {
    /// `condition` has one `$`, the place of the value.
    fn require(&mut self, condition: &str, value: impl ToSql + 'static) {
        self.values.push(Box::new(value));
        let place = format!("?{}", self.values.len());
        self.texts.push(condition.replace('$', &place));
    }
}

fn conditions(query: &InstanceQuery) -> Answer<Conditions> {
    let mut all = Conditions::default();
    all.require("i.namespace = $", query.namespace.to_string());
    if let Some(app) = &query.app {
        all.require("i.app = $", app.to_string());
    }
    if let Some(workflow) = &query.workflow {
        all.require("i.workflow = $", workflow.clone());
    }
    if !query.statuses.is_empty() {
        let names = query.statuses.iter().map(|status| status.name());
        let names = serde_json::Value::from_iter(names).to_string();
        all.require("i.status IN (SELECT value FROM json_each($))", names);
    }
    if !query.id_prefix.is_empty() {
        all.require("substr(i.key, 1, length($)) = $", query.id_prefix.clone());
    }
    if let Some(parent) = &query.parent {
        all.require("i.parent_app = $", parent.app.to_string());
        all.require("i.parent_key = $", parent.id.to_string());
    }
    if let Some(token) = &query.token {
        let Ok(after) = token.parse::<i64>() else {
            let text = format!("token {token:?} is not one that a list gave");
            return crate::sqlite::refused(WorkflowStoreError::NotAllowed(text));
        };
        all.require("i.id < $", after);
    }
    Ok(all)
}

/// Newest first; the token is the number of the last instance of the page before.
pub(super) fn list(connection: &Connection, query: &InstanceQuery) -> Answer<InstancePage> {
    let conditions = conditions(query)?;
    let one_more = i64::try_from(query.limit)
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    let sql = format!(
        "SELECT {} WHERE {} ORDER BY i.id DESC LIMIT {one_more}",
        COLUMNS.replace("i.outcome", "NULL"),
        conditions.texts.join(" AND ")
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(conditions.values), found)?;
    let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
    let more = rows.len() > query.limit;
    rows.truncate(query.limit);
    let last = rows.last().map(|found| found.instance.0.to_string());
    Ok(InstancePage {
        rows: rows.into_iter().map(|found| found.row).collect(),
        next: last.filter(|_| more),
    })
}
