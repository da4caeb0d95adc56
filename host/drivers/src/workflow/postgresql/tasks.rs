//! The queue of activities.

use super::{
    Answer, Tables,
    inbox::{MessageColumns, deliver},
    rows::{IS_KEY, KEY, app_list, bytes, count, field, name, number, parts, signed},
};
use crate::postgresql::{Database, Statement};
use berth_blocks::workflow::{ClaimedTask, InstanceKey, Message, TaskId, Timestamp};
use berth_resources::{AppId, Namespace};
use tokio_postgres::types::Type;

/// The statements.
#[derive(Debug)]
pub(super) struct Tasks {
    claim: Statement,
    renew: Statement,
    lock: Statement,
    finish: Statement,
    pub(super) drop: Statement,
    pub(super) clear: Statement,
}

impl Tasks {
    pub(super) fn new(tables: &Tables) -> Self {
        let Tables { instance, task, .. } = tables;
        let finished = format!(
            "finished AS (
                DELETE FROM {task} t USING {instance} i
                WHERE i.namespace = $1[1] AND i.app = $2[1] AND i.key = $3[1] AND t.inst = i.id
                    AND t.operation = $7 AND t.claim = $8
                RETURNING t.id
             ),"
        );
        Self {
            // Numbers of claims are those of tasks, so that none is given twice.
            claim: Statement::new(
                format!(
                    "WITH visible AS MATERIALIZED (
                        SELECT t.id FROM {task} t
                        WHERE t.visible_at <= $1 AND t.namespace || '/' || t.app = ANY ($2)
                        ORDER BY t.id LIMIT $3 FOR UPDATE SKIP LOCKED
                     ), taken AS (
                        UPDATE {task} t SET claim = nextval(pg_get_serial_sequence({}, 'id')),
                            deliveries = t.deliveries + 1, visible_at = $4
                        FROM visible WHERE t.id = visible.id
                        RETURNING t.id, t.inst, t.operation, t.claim, t.app, t.deliveries, t.body
                     )
                     SELECT i.namespace, i.app, i.key, t.operation, t.claim, t.app, t.deliveries, t.body
                     FROM taken t JOIN {instance} i ON i.id = t.inst ORDER BY t.id",
                    crate::postgresql::literal(task)
                ),
                &[Type::INT8, Type::TEXT_ARRAY, Type::INT8, Type::INT8],
            ),
            renew: Statement::new(
                format!(
                    "UPDATE {task} t SET visible_at = $1
                     FROM unnest($2, $3, $4, $5, $6) WITH ORDINALITY AS k (namespace, app, key, operation, claim, place)
                     JOIN {instance} i ON i.namespace = k.namespace AND i.app = k.app AND i.key = k.key
                     WHERE t.inst = i.id AND t.operation = k.operation AND t.claim = k.claim RETURNING k.place"
                ),
                &[
                    Type::INT8,
                    Type::TEXT_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::INT8_ARRAY,
                    Type::INT8_ARRAY,
                ],
            ),
            lock: Statement::new(
                format!("SELECT i.id FROM {instance} i WHERE {IS_KEY} FOR UPDATE"),
                &KEY,
            ),
            // Whether it was there must not depend on whether its instance takes messages.
            finish: Statement::new(
                deliver(tables, &finished, "EXISTS (SELECT 1 FROM finished)").replace(
                    "SELECT ord FROM fresh",
                    "SELECT id FROM finished",
                ),
                &[
                    Type::TEXT_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::INT8_ARRAY,
                    Type::BYTEA_ARRAY,
                    Type::INT8,
                    Type::INT8,
                ],
            ),
            drop: Statement::new(
                format!("DELETE FROM {task} WHERE inst = $1 AND operation = ANY ($2)"),
                &[Type::INT8, Type::INT8_ARRAY],
            ),
            clear: Statement::new(
                format!("DELETE FROM {task} WHERE inst = $1"),
                &[Type::INT8],
            ),
        }
    }

    pub(super) async fn claim(
        &self,
        database: &Database,
        apps: &[(Namespace, AppId)],
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Answer<Vec<ClaimedTask>> {
        let (apps, limit) = (app_list(apps), count(limit));
        let rows = database
            .rows(&self.claim, &[&now.0, &apps, &limit, &until.0])
            .await?;
        let task = |row| {
            Ok(ClaimedTask {
                id: TaskId {
                    key: InstanceKey::new(name(row, 0)?, name(row, 1)?, field(row, 2)?),
                    operation: number(row, 3)?,
                    claim: number(row, 4)?,
                },
                app: name(row, 5)?,
                deliveries: field::<i32>(row, 6)?.unsigned_abs(),
                body: bytes(row, 7)?,
            })
        };
        rows.iter().map(task).collect()
    }

    /// Gives those that are no longer held.
    pub(super) async fn renew(
        &self,
        database: &Database,
        tasks: &[TaskId],
        until: Timestamp,
    ) -> Answer<Vec<TaskId>> {
        let keys: Vec<_> = tasks.iter().map(|task| parts(&task.key)).collect();
        let namespaces: Vec<&str> = keys.iter().map(|(namespace, _, _)| *namespace).collect();
        let apps: Vec<&str> = keys.iter().map(|(_, app, _)| *app).collect();
        let ids: Vec<&str> = keys.iter().map(|(_, _, id)| *id).collect();
        let operations: Vec<i64> = tasks.iter().map(|task| signed(task.operation)).collect();
        let claims: Vec<i64> = tasks.iter().map(|task| signed(task.claim)).collect();
        let rows = database
            .rows(
                &self.renew,
                &[&until.0, &namespaces, &apps, &ids, &operations, &claims],
            )
            .await?;
        let mut lost: Vec<Option<&TaskId>> = tasks.iter().map(Some).collect();
        for row in &rows {
            let place = usize::try_from(field::<i64>(row, 0)? - 1).unwrap_or(usize::MAX);
            if let Some(kept) = lost.get_mut(place) {
                *kept = None;
            }
        }
        Ok(lost.into_iter().flatten().cloned().collect())
    }

    /// Removes a task that is still held, and sends its result.
    pub(super) async fn finish(
        &self,
        database: &Database,
        task: &TaskId,
        result: &Message,
    ) -> Answer<bool> {
        let (namespace, app, id) = parts(&task.key);
        let mut messages = MessageColumns::default();
        messages.add(&task.key, result);
        let (operation, claim) = (signed(task.operation), signed(task.claim));
        let mut parameters = messages.parameters().to_vec();
        parameters.push(&operation);
        parameters.push(&claim);
        let rows = database
            .transact_rows(&[
                (&self.lock, &[&namespace, &app, &id]),
                (&self.finish, &parameters),
            ])
            .await?;
        Ok(rows.last().is_some_and(|rows| !rows.is_empty()))
    }
}
