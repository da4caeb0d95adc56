//! One connection and the statements that it has prepared.

use super::{Parameters, Statement, settings::QueryMode};
use futures::TryStreamExt;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::OnceCell;
use tokio_postgres::{
    Client, Error, Row,
    types::{ToSql, Type},
};

type Prepared = Arc<OnceCell<tokio_postgres::Statement>>;

/// A connection that many calls use at a time.
pub(super) struct Session {
    pub(super) client: Client,
    mode: QueryMode,
    /// By the statement's number. As many as drivers have statements.
    prepared: Mutex<HashMap<u64, Prepared>>,
}

impl Session {
    pub(super) fn new(client: Client, mode: QueryMode) -> Self {
        Self {
            client,
            mode,
            prepared: Mutex::default(),
        }
    }

    pub(super) async fn rows(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        match self.mode {
            QueryMode::Prepared if statement.is_kept => {
                let prepared = self.prepared(statement).await?;
                let rows = self.client.query_raw(&prepared, values(parameters));
                rows.await?.try_collect().await
            }
            QueryMode::Prepared | QueryMode::Unnamed => {
                let parameters = typed(statement, parameters);
                self.client.query_typed(&statement.text, &parameters).await
            }
        }
    }

    pub(super) async fn execute(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<u64, Error> {
        match self.mode {
            QueryMode::Prepared => {
                let prepared = self.prepared(statement).await?;
                self.client.execute_raw(&prepared, values(parameters)).await
            }
            QueryMode::Unnamed => {
                let parameters = typed(statement, parameters);
                self.client
                    .execute_typed(&statement.text, &parameters)
                    .await
            }
        }
    }

    /// Prepared once per connection, however many calls want it at the same time.
    async fn prepared(&self, statement: &Statement) -> Result<tokio_postgres::Statement, Error> {
        let cell = self
            .prepared
            .lock()
            .entry(statement.id)
            .or_default()
            .clone();
        if let Some(prepared) = cell.get() {
            return Ok(prepared.clone());
        }
        let prepare = || self.client.prepare_typed(&statement.text, &statement.types);
        cell.get_or_try_init(prepare).await.cloned()
    }
}

/// The parameters as the client wants them for prepared statements.
pub(super) fn values<'a>(
    parameters: Parameters<'a>,
) -> impl ExactSizeIterator<Item = &'a dyn ToSql> + 'a {
    parameters.iter().map(|value| *value as &dyn ToSql)
}

/// The parameters as the client wants them for statements that are not prepared.
pub(super) fn typed<'a>(
    statement: &Statement,
    parameters: Parameters<'a>,
) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    let types = statement.types.iter().cloned();
    parameters.iter().copied().zip(types).collect()
}
