//! Messages. Whoever puts one into an inbox has locked the row of the instance, which gives the message its number: so
//! numbers become visible in their order, and no reader passes one over.

use super::{
    Answer, Tables,
    commit::terminal_names,
    rows::{IS_KEY, KEY, bytes, count, existing, field, key_and, parts},
};
use crate::postgresql::{Database, Statement};
use berth_blocks::workflow::{
    InstanceKey, Message, MessageId, Sent, Status, StoredMessage, Timestamp,
};
use tokio_postgres::types::{ToSql, Type};

/// The statements.
#[derive(Debug)]
pub(super) struct Inboxes {
    /// Locks an instance: its status.
    lock: Statement,
    /// Locks all instances of some keys that are there, in the order of their numbers.
    pub(super) lock_all: Statement,
    /// Delivers messages to instances that are locked: those that were taken in.
    pub(super) deliver: Statement,
    read: Statement,
}

impl Inboxes {
    pub(super) fn new(tables: &Tables) -> Self {
        let Tables {
            instance, message, ..
        } = tables;
        let keys = "unnest($1, $2, $3) AS k (namespace, app, key)";
        Self {
            lock: Statement::new(
                format!("SELECT i.status FROM {instance} i WHERE {IS_KEY} FOR UPDATE"),
                &KEY,
            ),
            lock_all: Statement::new(
                format!(
                    "SELECT i.id FROM {instance} i WHERE (i.namespace, i.app, i.key) IN \
                     (SELECT namespace, app, key FROM {keys}) ORDER BY i.id FOR UPDATE"
                ),
                &[Type::TEXT_ARRAY, Type::TEXT_ARRAY, Type::TEXT_ARRAY],
            ),
            deliver: Statement::new(
                deliver(tables, "", "true"),
                &[
                    Type::TEXT_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::INT8_ARRAY,
                    Type::BYTEA_ARRAY,
                ],
            ),
            read: Statement::new(
                format!(
                    "SELECT m.number, m.body, m.at FROM {instance} i LEFT JOIN LATERAL \
                     (SELECT * FROM {message} m WHERE m.inst = i.id AND m.number > $4 AND m.body IS NOT NULL \
                      ORDER BY m.number LIMIT $5) m ON true \
                     WHERE {IS_KEY} ORDER BY m.number"
                ),
                &key_and(&[Type::INT8, Type::INT8]),
            ),
        }
    }

    pub(super) async fn send(
        &self,
        database: &Database,
        to: &InstanceKey,
        message: &Message,
    ) -> Answer<Sent> {
        let (namespace, app, id) = parts(to);
        let mut messages = MessageColumns::default();
        messages.add(to, message);
        let parameters = messages.parameters();
        let rows = database
            .transact_rows(&[
                (&self.lock, &[&namespace, &app, &id]),
                (&self.deliver, &parameters),
            ])
            .await?;
        let Some(found) = rows.first().and_then(|rows| rows.first()) else {
            return Ok(Sent::NotFound);
        };
        let status: &str = field(found, 0)?;
        Ok(
            match (Status::named(status), rows.last().map(Vec::is_empty)) {
                (Some(status), _) if status.is_terminal() => Sent::Finished,
                (_, Some(false)) => Sent::Accepted,
                _ => Sent::Duplicate,
            },
        )
    }

    pub(super) async fn read(
        &self,
        database: &Database,
        key: &InstanceKey,
        after: MessageId,
        limit: usize,
    ) -> Answer<Vec<StoredMessage>> {
        let (namespace, app, id) = parts(key);
        let limit = count(limit);
        let rows = database
            .rows(&self.read, &[&namespace, &app, &id, &after.0, &limit])
            .await?;
        let mut messages = Vec::with_capacity(rows.len());
        for row in &existing(rows, key)? {
            if let Some(number) = field::<Option<i64>>(row, 0)? {
                messages.push(StoredMessage {
                    id: MessageId(number),
                    body: bytes(row, 1)?,
                    at: Timestamp(field(row, 2)?),
                });
            }
        }
        Ok(messages)
    }
}

/// The statement that delivers the messages of the parameters `$1` to `$6`, if `condition` holds; `before` are further
/// parts of its `WITH`.
pub(super) fn deliver(tables: &Tables, before: &str, condition: &str) -> String {
    let Tables {
        instance, message, ..
    } = tables;
    let terminal = terminal_names();
    format!(
        "WITH {before} m AS MATERIALIZED (
            SELECT m.ord, i.id, i.messages, m.dedup, m.at, m.body
            FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY AS m (namespace, app, key, dedup, at, body, ord)
            JOIN {instance} i ON i.namespace = m.namespace AND i.app = m.app AND i.key = m.key
            WHERE i.status NOT IN ({terminal}) AND {condition}
         ), fresh AS MATERIALIZED (
            SELECT m.ord, m.id, m.dedup, m.at, m.body,
                m.messages + row_number() OVER (PARTITION BY m.id ORDER BY m.ord) AS number
            FROM m WHERE m.dedup IS NULL OR NOT (
                EXISTS (SELECT 1 FROM {message} w WHERE w.inst = m.id AND w.dedup = m.dedup)
                OR EXISTS (SELECT 1 FROM m b WHERE b.id = m.id AND b.dedup = m.dedup AND b.ord < m.ord))
         ), added AS (
            INSERT INTO {message} (inst, number, dedup, at, body) SELECT id, number, dedup, at, body FROM fresh
         ), woken AS (
            UPDATE {instance} i SET messages = f.number,
                ready_at = CASE WHEN i.owner IS NULL THEN least(i.ready_at, f.at) ELSE i.ready_at END
            FROM (SELECT id, max(number) AS number, min(at) AS at FROM fresh GROUP BY id) f WHERE i.id = f.id
         )
         SELECT ord FROM fresh"
    )
}

/// Messages, column by column, in their order.
#[derive(Debug, Default)]
pub(super) struct MessageColumns<'m> {
    namespace: Vec<&'m str>,
    app: Vec<&'m str>,
    key: Vec<&'m str>,
    dedup: Vec<Option<&'m str>>,
    at: Vec<i64>,
    body: Vec<&'m [u8]>,
}

impl<'m> MessageColumns<'m> {
    pub(super) fn add(&mut self, to: &'m InstanceKey, message: &'m Message) {
        let (namespace, app, key) = parts(to);
        self.namespace.push(namespace);
        self.app.push(app);
        self.key.push(key);
        self.dedup.push(message.dedup.as_deref());
        self.at.push(message.at.0);
        self.body.push(&message.body);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    pub(super) fn parameters(&self) -> [&(dyn ToSql + Sync); 6] {
        [
            &self.namespace,
            &self.app,
            &self.key,
            &self.dedup,
            &self.at,
            &self.body,
        ]
    }
}
