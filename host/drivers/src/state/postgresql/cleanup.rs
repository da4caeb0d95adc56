//! Deletes expired values: every host tries, and one of them does it, by Dapr's record of the last time.

use super::{migrations::Extras, names::Names};
use crate::{
    postgresql::{Database, Failure, Statement},
    task::Task,
};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio_postgres::types::Type;

/// Rows that one statement deletes, so that nobody waits long for their locks.
const ROWS: i64 = 1_000;
/// Clocks of tasks are not exact.
const TOLERANCE: Duration = Duration::from_millis(100);

/// The statements.
struct Cleanup {
    /// Changes a row only if the last time is as long ago.
    claim: Statement,
    delete: Statement,
    /// Media types of values that are gone or were written anew.
    forget: Option<Statement>,
}

impl Cleanup {
    fn new(names: &Names, extras: Extras) -> Self {
        let Names {
            state,
            content_types,
            metadata,
            ..
        } = names;
        let claim = format!(
            "INSERT INTO {metadata} AS m (key, value) VALUES ($1, now()::text)
             ON CONFLICT (key) DO UPDATE SET value = now()::text
             WHERE (extract('epoch' FROM now() - m.value::timestamp with time zone) * 1000)::bigint > $2"
        );
        let delete = format!(
            "DELETE FROM {state} WHERE key IN (
                SELECT key FROM {state} WHERE expires_at IS NOT NULL AND expires_at < now()
                LIMIT $1 FOR UPDATE SKIP LOCKED)"
        );
        // A value that is written meanwhile has another etag, here as there.
        let forget = format!(
            "WITH orphans AS MATERIALIZED (
                SELECT key, etag FROM {content_types} t WHERE NOT EXISTS (
                    SELECT 1 FROM {state} s WHERE s.key = t.key AND s.etag = t.etag)
                LIMIT $1)
             DELETE FROM {content_types} t USING orphans o WHERE t.key = o.key AND t.etag = o.etag"
        );
        Self {
            claim: Statement::new(claim, &[Type::TEXT, Type::INT8]),
            delete: Statement::new(delete, &[Type::INT8]),
            forget: extras
                .content_types
                .then(|| Statement::new(forget, &[Type::INT8])),
        }
    }

    async fn run(&self, database: &Database, key: &str, every: Duration) -> Result<(), Failure> {
        let since = i64::try_from(every.saturating_sub(TOLERANCE).as_millis()).unwrap_or(i64::MAX);
        if database.execute(&self.claim, &[&key, &since]).await? == 0 {
            return Ok(());
        }
        for statement in [Some(&self.delete), self.forget.as_ref()]
            .into_iter()
            .flatten()
        {
            while database.execute(statement, &[&ROWS]).await? >= ROWS.unsigned_abs() {}
        }
        Ok(())
    }
}

/// Deletes expired values now and then, until the store is closed.
pub(super) fn start(
    database: &Arc<Database>,
    names: &Names,
    extras: Extras,
    every: Duration,
) -> Task {
    let cleanup = Cleanup::new(names, extras);
    Task::spawn(repeat(
        Arc::downgrade(database),
        cleanup,
        names.cleanup_key(),
        every,
    ))
}

async fn repeat(database: Weak<Database>, cleanup: Cleanup, key: String, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(database) = database.upgrade() else {
            return;
        };
        if let Err(error) = cleanup.run(&database, &key, every).await {
            tracing::warn!(%error, "deleting expired state");
        }
    }
}
