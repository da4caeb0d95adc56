//! New instances.

use super::{
    Answer, Tables, purge,
    rows::{COLUMNS, instance, parts, signed},
};
use crate::postgresql::{Database, Statement, Step};
use berth_blocks::workflow::{
    Created, InstanceRow, NewInstance, NewTask, Status, WorkflowStoreError,
};
use std::collections::BTreeMap;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

/// The statements.
#[derive(Debug)]
pub(super) struct Creates {
    /// Creates an instance with everything that belongs to it, unless there is one with its key: then no row.
    pub(super) create: Statement,
    /// Adds tasks to an instance; one of the same operation is replaced.
    pub(super) add_tasks: Statement,
}

impl Creates {
    pub(super) fn new(tables: &Tables) -> Self {
        let Tables {
            host,
            instance,
            event,
            blob,
            ..
        } = tables;
        let tasks = insert_tasks(
            tables,
            "SELECT new.id, t.operation, $1, t.app, t.visible_at, 0, 0, t.body FROM new, \
             unnest($19, $20, $21, $22) WITH ORDINALITY AS t (operation, app, visible_at, body, place) ORDER BY t.place",
        );
        // An owner that never joined counts as one whose lease has ended.
        let create = format!(
            "WITH owner AS (
                INSERT INTO {host} (name, until) SELECT $12, 0 WHERE $12 IS NOT NULL ON CONFLICT DO NOTHING
             ), new AS (
                INSERT INTO {instance} AS i (namespace, app, key, execution, workflow, parent_app, parent_key, status,
                    version, epoch, events, messages, owner, ready_at, created_at, updated_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, 'PENDING', $8, $9, $10, $11, $12, $13, $14, $14)
                ON CONFLICT (namespace, app, key) DO NOTHING
                RETURNING {COLUMNS}
             ), events AS (
                INSERT INTO {event} (inst, seq, body) SELECT new.id, e.seq, e.body
                FROM new, unnest($15, $16) AS e (seq, body)
             ), blobs AS (
                INSERT INTO {blob} (inst, digest, bytes) SELECT new.id, b.digest, b.bytes
                FROM new, unnest($17, $18) AS b (digest, bytes) ON CONFLICT DO NOTHING
             ), tasks AS ({tasks})
             SELECT * FROM new"
        );
        let text = || vec![Type::TEXT; 7];
        let mut types = text();
        types.extend([Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::TEXT]);
        types.extend([Type::INT8, Type::INT8, Type::INT8_ARRAY, Type::BYTEA_ARRAY]);
        types.extend([Type::TEXT_ARRAY, Type::BYTEA_ARRAY]);
        types.extend(TASK_TYPES);
        let mut of_tasks = vec![Type::INT8, Type::TEXT];
        of_tasks.extend(TASK_TYPES);
        Self {
            create: Statement::new(create, &types),
            add_tasks: Statement::new(
                insert_tasks(
                    tables,
                    "SELECT $1, t.operation, $2, t.app, t.visible_at, 0, 0, t.body FROM \
                     unnest($3, $4, $5, $6) WITH ORDINALITY AS t (operation, app, visible_at, body, place) \
                     ORDER BY t.place",
                ),
                &of_tasks,
            ),
        }
    }

    /// Creates an instance that may take the place of another, which is there.
    pub(super) async fn replace(
        &self,
        database: &Database,
        purges: &purge::Purges,
        new: &NewInstance,
        replaces: &[Status],
    ) -> Answer<Created> {
        let replace = async {
            let connection = database.exclusive().await?;
            let (namespace, app, id) = parts(&new.key);
            let lock: Step<'_> = (&purges.lock, &[&namespace, &app, &id]);
            let found = connection.begin_and_query(&[lock]).await?;
            let found = found.first().and_then(|rows| rows.first());
            let (before, number) = match found {
                Some(row) => (Some(instance(row)?), Some(purge::Found::of(row)?)),
                None => (None, None),
            };
            if let Some(before) = &before
                && !replaces.contains(&before.state.status)
            {
                return Ok(Created::Exists(before.clone()));
            }
            let columns = Columns::of(
                new,
                before.as_ref(),
                number.map_or(0, |found| found.messages),
            );
            let parameters = columns.parameters();
            let mut steps = Vec::new();
            let ids: Vec<i64> = number.iter().map(|found| found.id).collect();
            let ids: [&(dyn ToSql + Sync); 1] = [&ids];
            if before.is_some() {
                steps.extend(purges.remove(&ids));
            }
            steps.push((&self.create, &parameters[..]));
            let rows = connection.query_and_commit(&steps).await?;
            // Somebody else's came into being meanwhile, where there was none.
            created(rows.last().and_then(|rows| rows.first()))
        };
        database.in_time(replace).await
    }
}

/// What [`Creates::create`] gave.
pub(super) fn created(row: Option<&Row>) -> Answer<Created> {
    match row {
        Some(row) => Ok(Created::New(instance(row)?)),
        None => Err(WorkflowStoreError::Unavailable(
            "an instance of this ID came into being at the same moment".to_owned(),
        )),
    }
}

/// Types of tasks, column by column.
const TASK_TYPES: [Type; 4] = [
    Type::INT8_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::BYTEA_ARRAY,
];

/// A task in the place of another has no claim, and its own age.
fn insert_tasks(tables: &Tables, rows: &str) -> String {
    let task = &tables.task;
    format!(
        "INSERT INTO {task} (inst, operation, namespace, app, visible_at, claim, deliveries, body) {rows}
         ON CONFLICT (inst, operation) DO UPDATE SET id = excluded.id, app = excluded.app,
            visible_at = excluded.visible_at, claim = 0, deliveries = 0, body = excluded.body"
    )
}

/// Tasks, column by column. The last of an operation counts.
#[derive(Debug, Default)]
pub(super) struct TaskColumns<'t> {
    operation: Vec<i64>,
    app: Vec<&'t str>,
    visible_at: Vec<i64>,
    body: Vec<&'t [u8]>,
}

impl<'t> TaskColumns<'t> {
    pub(super) fn of(tasks: &'t [NewTask]) -> Self {
        let last: BTreeMap<u64, usize> = tasks
            .iter()
            .enumerate()
            .map(|(place, task)| (task.operation, place))
            .collect();
        let mut columns = Self::default();
        for (place, task) in tasks.iter().enumerate() {
            if last.get(&task.operation) == Some(&place) {
                columns.operation.push(signed(task.operation));
                columns.app.push(task.app.as_str());
                columns.visible_at.push(task.visible_at.0);
                columns.body.push(&task.body);
            }
        }
        columns
    }

    pub(super) fn parameters(&self) -> [&(dyn ToSql + Sync); 4] {
        [&self.operation, &self.app, &self.visible_at, &self.body]
    }
}

/// A new instance as [`Creates::create`] takes it.
#[derive(Debug)]
pub(super) struct Columns<'n> {
    new: &'n NewInstance,
    key: (&'n str, &'n str, &'n str),
    parent: (Option<&'n str>, Option<&'n str>),
    /// Version, epoch, events, number of the last message.
    numbers: [i64; 4],
    events: (Vec<i64>, Vec<&'n [u8]>),
    blobs: (Vec<&'n str>, Vec<&'n [u8]>),
    tasks: TaskColumns<'n>,
}

impl<'n> Columns<'n> {
    /// `before`: whose place it takes, with the number of its last message.
    pub(super) fn of(new: &'n NewInstance, before: Option<&InstanceRow>, messages: i64) -> Self {
        let owned = u64::from(new.owner.is_some());
        let version = before.map_or(1, |before| before.version + 1);
        let epoch = before.map_or(owned, |before| before.epoch + 1);
        let parent = new.parent.as_ref();
        let numbers = [
            signed(version),
            signed(epoch),
            signed(new.events.len() as u64),
            messages,
        ];
        Self {
            new,
            key: parts(&new.key),
            parent: (
                parent.map(|parent| parent.app.as_str()),
                parent.map(|parent| &*parent.id),
            ),
            numbers,
            events: (
                new.events.iter().map(|event| signed(event.seq)).collect(),
                new.events.iter().map(|event| &event.body[..]).collect(),
            ),
            blobs: (
                new.blobs.iter().map(|blob| blob.digest.as_str()).collect(),
                new.blobs.iter().map(|blob| &blob.bytes[..]).collect(),
            ),
            tasks: TaskColumns::of(&new.tasks),
        }
    }

    pub(super) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        let Self { new, .. } = self;
        let mut all: Vec<&(dyn ToSql + Sync)> = vec![
            &self.key.0,
            &self.key.1,
            &self.key.2,
            &new.execution,
            &new.workflow,
            &self.parent.0,
            &self.parent.1,
        ];
        for number in &self.numbers {
            all.push(number);
        }
        all.extend([
            &new.owner as &(dyn ToSql + Sync),
            &new.ready_at.0,
            &new.created_at.0,
            &self.events.0,
            &self.events.1,
            &self.blobs.0,
            &self.blobs.1,
        ]);
        all.extend(self.tasks.parameters());
        all
    }
}
