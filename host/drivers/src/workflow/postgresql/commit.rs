//! The commit of instances, which is where the time of a workflow goes.
//!
//! Most commits change an instance and nothing else: its row, its events, messages that it took in. Those of many
//! instances are one statement, hence one transaction and one round trip (see `writer`). A commit that reaches other
//! instances, begins another history or has tasks is a transaction of its own (see `whole`).

use super::{Answer, Tables, rows::signed};
use crate::postgresql::Statement;
use berth_blocks::workflow::{Commit, InstanceKey, InstanceRow, Status, WorkflowStoreError};
use std::borrow::Cow;
use tokio_postgres::types::{ToSql, Type};

/// The statements.
#[derive(Debug)]
pub(super) struct Commits {
    /// Rows, and everything that belongs to their instances alone.
    pub(super) simple: Statement,
    /// Rows only.
    pub(super) guard: Statement,
}

/// Whether a commit concerns nothing but its instance and needs no look at what others did meanwhile.
pub(super) fn is_simple(commit: &Commit) -> bool {
    let alone = commit.sends.is_empty() && commit.starts.is_empty();
    let quiet = commit.tasks.is_empty() && commit.dropped_tasks.is_empty();
    let stays = commit.release.is_none() || commit.state.status.is_terminal();
    alone && quiet && stays && commit.restart.is_none()
}

/// Parameters of the rows: `held` are those whose writer owns them and has seen their last version, locked in the order
/// of their numbers, so that two transactions do not wait for each other.
const ROW_TYPES: [Type; 19] = [
    Type::INT4_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::BYTEA_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::BOOL_ARRAY,
];

/// Parameters of what belongs to the rows: events, blobs, consumed messages.
const REST_TYPES: [Type; 8] = [
    Type::INT4_ARRAY,
    Type::INT8_ARRAY,
    Type::BYTEA_ARRAY,
    Type::INT4_ARRAY,
    Type::TEXT_ARRAY,
    Type::BYTEA_ARRAY,
    Type::INT4_ARRAY,
    Type::INT8_ARRAY,
];

impl Commits {
    pub(super) fn new(tables: &Tables) -> Self {
        let rows = rows(&tables.instance);
        let rest = rest(tables);
        let all: Vec<Type> = ROW_TYPES.into_iter().chain(REST_TYPES).collect();
        Self {
            simple: Statement::new(format!("{rows}, {rest} SELECT ord, id FROM written"), &all),
            guard: Statement::new(format!("{rows} SELECT ord, id FROM written"), &ROW_TYPES),
        }
    }
}

fn rows(instance: &str) -> String {
    format!(
        "WITH given AS MATERIALIZED (
            SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
            AS c (ord, namespace, app, key, epoch, version, status, events, restart, waiting_on, waiting_since,
                custom_status, code, problem, outcome, finished_at, expires_at, updated_at, terminal)
         ), held AS MATERIALIZED (
            SELECT i.id, c.ord FROM given c JOIN {instance} i
            ON i.namespace = c.namespace AND i.app = c.app AND i.key = c.key
            WHERE i.epoch = c.epoch AND i.version = c.version AND i.owner IS NOT NULL
            ORDER BY i.id FOR UPDATE OF i
         ), written AS (
            UPDATE {instance} i SET status = c.status, version = i.version + 1,
                events = CASE WHEN c.restart IS NULL THEN i.events ELSE 0 END + c.events,
                execution = coalesce(c.restart, i.execution), waiting_on = c.waiting_on,
                waiting_since = c.waiting_since, custom_status = c.custom_status, code = c.code, problem = c.problem,
                outcome = c.outcome, finished_at = c.finished_at, expires_at = c.expires_at,
                updated_at = c.updated_at, owner = CASE WHEN c.terminal THEN NULL ELSE i.owner END,
                ready_at = CASE WHEN c.terminal THEN NULL ELSE i.ready_at END
            FROM held h JOIN given c ON c.ord = h.ord WHERE i.id = h.id
            RETURNING i.id, c.ord, c.terminal
         )"
    )
}

fn rest(tables: &Tables) -> String {
    let Tables {
        event,
        blob,
        message,
        task,
        ..
    } = tables;
    format!(
        "events AS (
            INSERT INTO {event} (inst, seq, body) SELECT w.id, e.seq, e.body
            FROM unnest($20, $21, $22) AS e (ord, seq, body) JOIN written w ON w.ord = e.ord
         ), blobs AS (
            INSERT INTO {blob} (inst, digest, bytes) SELECT w.id, b.digest, b.bytes
            FROM unnest($23, $24, $25) AS b (ord, digest, bytes) JOIN written w ON w.ord = b.ord
            ON CONFLICT DO NOTHING
         ), consumed AS (
            SELECT w.id, m.number FROM unnest($26, $27) AS m (ord, number) JOIN written w ON w.ord = m.ord
         ), forgotten AS (
            DELETE FROM {message} m USING consumed c WHERE m.inst = c.id AND m.number = c.number AND m.dedup IS NULL
         ), emptied AS (
            UPDATE {message} m SET body = NULL FROM consumed c
            WHERE m.inst = c.id AND m.number = c.number AND m.dedup IS NOT NULL
         ), unread AS (
            DELETE FROM {message} m USING written w WHERE w.terminal AND m.inst = w.id
         ), unwanted AS (
            DELETE FROM {task} t USING written w WHERE w.terminal AND t.inst = w.id
         )"
    )
}

/// The rows of some commits, column by column, numbered in their order.
#[derive(Debug, Default)]
pub(super) struct RowColumns<'c> {
    ord: Vec<i32>,
    namespace: Vec<&'c str>,
    app: Vec<&'c str>,
    key: Vec<&'c str>,
    epoch: Vec<i64>,
    version: Vec<i64>,
    status: Vec<&'c str>,
    events: Vec<i64>,
    restart: Vec<Option<&'c str>>,
    waiting_on: Vec<Option<Cow<'c, str>>>,
    waiting_since: Vec<Option<i64>>,
    custom_status: Vec<Option<Cow<'c, str>>>,
    code: Vec<Option<&'c str>>,
    problem: Vec<Option<Cow<'c, str>>>,
    outcome: Vec<Option<&'c [u8]>>,
    finished_at: Vec<Option<i64>>,
    expires_at: Vec<Option<i64>>,
    updated_at: Vec<i64>,
    terminal: Vec<bool>,
}

impl<'c> RowColumns<'c> {
    pub(super) fn of(commits: &[&'c Commit]) -> Self {
        let mut columns = Self::default();
        for (ord, commit) in (0..).zip(commits) {
            columns.add(ord, commit);
        }
        columns
    }

    fn add(&mut self, ord: i32, commit: &'c Commit) {
        let state = &commit.state;
        let waiting = state.waiting.as_ref();
        self.ord.push(ord);
        self.namespace.push(commit.key.namespace.as_str());
        self.app.push(commit.key.app.as_str());
        self.key.push(&commit.key.id);
        self.epoch.push(signed(commit.epoch));
        self.version.push(signed(commit.version));
        self.status.push(state.status.name());
        self.events.push(signed(commit.events.len() as u64));
        self.restart.push(commit.restart.as_deref());
        self.waiting_on
            .push(waiting.map(|waiting| storable(&waiting.on)));
        self.waiting_since
            .push(waiting.map(|waiting| waiting.since.0));
        self.custom_status
            .push(state.custom_status.as_deref().map(storable));
        self.code.push(state.code.as_deref());
        self.problem.push(state.problem.as_deref().map(storable));
        self.outcome.push(state.outcome.as_deref());
        self.finished_at.push(state.finished_at.map(|at| at.0));
        self.expires_at.push(state.expires_at.map(|at| at.0));
        self.updated_at.push(commit.now.0);
        self.terminal.push(state.status.is_terminal());
    }

    pub(super) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![
            &self.ord,
            &self.namespace,
            &self.app,
            &self.key,
            &self.epoch,
            &self.version,
            &self.status,
            &self.events,
            &self.restart,
            &self.waiting_on,
            &self.waiting_since,
            &self.custom_status,
            &self.code,
            &self.problem,
            &self.outcome,
            &self.finished_at,
            &self.expires_at,
            &self.updated_at,
            &self.terminal,
        ]
    }
}

/// What belongs to the rows of some simple commits, column by column.
#[derive(Debug, Default)]
pub(super) struct RestColumns<'c> {
    events: (Vec<i32>, Vec<i64>, Vec<&'c [u8]>),
    blobs: (Vec<i32>, Vec<&'c str>, Vec<&'c [u8]>),
    consumed: (Vec<i32>, Vec<i64>),
}

impl<'c> RestColumns<'c> {
    pub(super) fn of(commits: &[&'c Commit]) -> Self {
        let mut columns = Self::default();
        for (ord, commit) in (0..).zip(commits) {
            for event in &commit.events {
                columns.events.0.push(ord);
                columns.events.1.push(signed(event.seq));
                columns.events.2.push(&event.body);
            }
            for blob in &commit.blobs {
                columns.blobs.0.push(ord);
                columns.blobs.1.push(&blob.digest);
                columns.blobs.2.push(&blob.bytes);
            }
            // Of an instance that has ended all messages go.
            if !commit.state.status.is_terminal() {
                for message in &commit.consumed {
                    columns.consumed.0.push(ord);
                    columns.consumed.1.push(message.0);
                }
            }
        }
        columns
    }

    pub(super) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        let Self {
            events,
            blobs,
            consumed,
        } = self;
        vec![
            &events.0,
            &events.1,
            &events.2,
            &blobs.0,
            &blobs.1,
            &blobs.2,
            &consumed.0,
            &consumed.1,
        ]
    }
}

/// Text that people read, without the character that PostgreSQL cannot store in text.
fn storable(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => text.replace('\0', "\u{fffd}").into(),
        false => text.into(),
    }
}

/// Why a writer was refused; `row` is what is there now.
pub(super) fn fenced<T>(key: &InstanceKey, row: Option<InstanceRow>, epoch: u64) -> Answer<T> {
    let text = match row {
        None => format!("{key} is gone: it was purged"),
        Some(row) => format!(
            "{key} is in epoch {} and version {}, the writer in epoch {epoch}",
            row.epoch, row.version
        ),
    };
    Err(WorkflowStoreError::Fenced(text))
}

/// Names of the statuses that an instance never leaves, as a list of literals.
pub(super) fn terminal_names() -> String {
    let names = Status::TERMINAL.map(|status| format!("'{}'", status.name()));
    names.join(", ")
}
