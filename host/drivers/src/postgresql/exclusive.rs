//! Connections for one user at a time: transactions, and what prepares tables.

use super::{
    Parameters, Statement,
    error::Failure,
    session::{typed, values},
    settings::{QueryMode, Settings},
};
use crate::task::Task;
use berth_blocks::registry::OpenError;
use deadpool_postgres::{
    Manager, ManagerConfig, Object, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use futures::{TryStreamExt, future::BoxFuture};
use std::{sync::Arc, time::Duration};
use tokio_postgres::{Client, Error, Row};

/// How often idle connections are looked for.
const IDLE_CHECK: Duration = Duration::from_secs(30);

/// A statement of a transaction with its values.
pub(crate) type Step<'a> = (&'a Statement, Parameters<'a>);

/// The rows of each step.
pub(crate) type Rows = Vec<Vec<Row>>;

/// The connections, made when they are needed.
pub(super) struct Pool {
    settings: Arc<Settings>,
    pool: deadpool_postgres::Pool,
    _idle: Task,
}

impl Pool {
    pub(super) fn new(settings: Arc<Settings>, size: usize) -> Result<Self, OpenError> {
        let manager = Manager::from_config(
            settings.config.clone(),
            settings.tls.clone(),
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = deadpool_postgres::Pool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(settings.timeout),
                create: Some(settings.connect_timeout),
                recycle: Some(settings.connect_timeout),
            })
            .build()
            .map_err(|error| OpenError::Backend(error.to_string()))?;
        let idle = Task::spawn(close_idle(pool.clone(), settings.max_idle));
        Ok(Self {
            settings,
            pool,
            _idle: idle,
        })
    }

    pub(super) async fn take(&self) -> Result<Exclusive, Failure> {
        let object = self.pool.get().await.map_err(|error| self.failure(error))?;
        Ok(Exclusive {
            object: Some(object),
            settings: self.settings.clone(),
        })
    }

    fn failure(&self, error: PoolError) -> Failure {
        let location = &self.settings.location;
        match error {
            PoolError::Backend(error) => Failure::connecting(&self.settings, &error),
            PoolError::Timeout(_) => Failure::unavailable(
                location,
                "no connection is free in time: raise `maxConns`, or make fewer transactions at a time",
            ),
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Failure::unavailable(location, error)
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.pool.close();
    }
}

async fn close_idle(pool: deadpool_postgres::Pool, max_idle: Duration) {
    loop {
        tokio::time::sleep(max_idle.min(IDLE_CHECK)).await;
        pool.retain(|_, metrics| metrics.last_used() < max_idle);
    }
}

/// A connection for one user. Dropped while a transaction is open: it is closed, which rolls back.
pub(crate) struct Exclusive {
    /// Present until it is given back.
    object: Option<Object>,
    settings: Arc<Settings>,
}

impl Exclusive {
    /// Begins a transaction and executes its steps: all are sent before the first answer is waited for. How many rows
    /// each has changed.
    pub(super) async fn begin_and_execute(
        &mut self,
        steps: &[(&Statement, Parameters<'_>)],
    ) -> Result<Vec<u64>, Failure> {
        let executed = self.execute_all(steps).await;
        executed.map_err(|error| Failure::of(&self.settings.location, &error))
    }

    async fn execute_all(
        &mut self,
        steps: &[(&Statement, Parameters<'_>)],
    ) -> Result<Vec<u64>, Error> {
        let Some(object) = &self.object else {
            return Ok(Vec::new());
        };
        let client: &Client = object;
        let begin = async { client.batch_execute("BEGIN").await.map(|()| 0) };
        let mut calls: Vec<BoxFuture<'_, Result<u64, Error>>> = vec![Box::pin(begin)];
        for (statement, parameters) in steps {
            calls.push(match self.settings.query_mode {
                QueryMode::Prepared => {
                    let prepared = object
                        .prepare_typed_cached(&statement.text, &statement.types)
                        .await?;
                    Box::pin(async move { client.execute_raw(&prepared, values(parameters)).await })
                }
                QueryMode::Unnamed => Box::pin(async move {
                    let parameters = typed(statement, parameters);
                    client.execute_typed(&statement.text, &parameters).await
                }),
            });
        }
        let mut counts = pipelined(calls).await?;
        counts.remove(0);
        Ok(counts)
    }

    /// Begins a transaction and executes its steps, all sent before the first answer is waited for: the rows of each.
    ///
    /// # Errors
    /// The client's failure or the server's refusal. Drop the connection then, which rolls back.
    pub(crate) async fn begin_and_query(&self, steps: &[Step<'_>]) -> Result<Rows, Failure> {
        self.query("BEGIN", steps, "").await
    }

    /// Executes further steps of the transaction, all sent before the first answer is waited for: the rows of each.
    ///
    /// # Errors
    /// Those of [`begin_and_query`](Self::begin_and_query).
    pub(crate) async fn query_on(&self, steps: &[Step<'_>]) -> Result<Rows, Failure> {
        self.query("", steps, "").await
    }

    /// Executes the last steps, commits, and gives the connection back. Everything is sent before the first answer is
    /// waited for.
    ///
    /// # Errors
    /// Those of [`begin_and_query`](Self::begin_and_query). Where the connection broke, whether it was committed is
    /// unknown.
    pub(crate) async fn query_and_commit(mut self, steps: &[Step<'_>]) -> Result<Rows, Failure> {
        let rows = self.query("", steps, "COMMIT").await?;
        self.object = None;
        Ok(rows)
    }

    /// A whole transaction in one go.
    ///
    /// # Errors
    /// Those of [`query_and_commit`](Self::query_and_commit).
    pub(super) async fn transaction(mut self, steps: &[Step<'_>]) -> Result<Rows, Failure> {
        let rows = self.query("BEGIN", steps, "COMMIT").await?;
        self.object = None;
        Ok(rows)
    }

    /// Executes steps between two commands, either of which may be empty.
    async fn query(
        &self,
        first: &'static str,
        steps: &[Step<'_>],
        last: &'static str,
    ) -> Result<Rows, Failure> {
        let rows = self.query_all(first, steps, last).await;
        rows.map_err(|error| Failure::of(&self.settings.location, &error))
    }

    async fn query_all(
        &self,
        first: &'static str,
        steps: &[Step<'_>],
        last: &'static str,
    ) -> Result<Rows, Error> {
        let Some(object) = &self.object else {
            return Ok(Vec::new());
        };
        let client: &Client = object;
        let command = async |command: &'static str| match command {
            "" => Ok(Vec::new()),
            command => client.batch_execute(command).await.map(|()| Vec::new()),
        };
        let mut calls: Vec<BoxFuture<'_, Result<Vec<Row>, Error>>> = Vec::new();
        // Statements are prepared before anything of the transaction is sent.
        for (statement, parameters) in steps {
            calls.push(match self.settings.query_mode {
                QueryMode::Prepared => {
                    let prepared = object
                        .prepare_typed_cached(&statement.text, &statement.types)
                        .await?;
                    Box::pin(async move {
                        let rows = client.query_raw(&prepared, values(parameters)).await?;
                        rows.try_collect().await
                    })
                }
                QueryMode::Unnamed => Box::pin(async move {
                    let parameters = typed(statement, parameters);
                    client.query_typed(&statement.text, &parameters).await
                }),
            });
        }
        calls.insert(0, Box::pin(command(first)));
        calls.push(Box::pin(command(last)));
        let mut rows = pipelined(calls).await?;
        rows.remove(0);
        rows.pop();
        Ok(rows)
    }

    /// Commits and gives the connection back.
    pub(crate) async fn commit(mut self) -> Result<(), Failure> {
        self.end("COMMIT").await
    }

    /// Rolls back and gives the connection back; closes it if that fails, to the same effect.
    pub(crate) async fn roll_back(mut self) {
        if let Err(failure) = self.end("ROLLBACK").await {
            tracing::debug!(cause = %failure, "a connection is closed since it could not roll back");
        }
    }

    async fn end(&mut self, how: &str) -> Result<(), Failure> {
        if let Some(client) = &self.object {
            let ended = client.batch_execute(how).await;
            ended.map_err(|error| Failure::of(&self.settings.location, &error))?;
        }
        // Back to the pool.
        self.object = None;
        Ok(())
    }

    /// Begins a transaction of statements that depend on one another: for preparing tables. Dropped instead of
    /// committed, it is rolled back.
    pub(crate) async fn begin(&self) -> Result<&Client, Failure> {
        let Some(client) = &self.object else {
            return Err(Failure::unavailable(&self.settings.location, "closed"));
        };
        let begun = client.batch_execute("BEGIN").await;
        begun.map_err(|error| Failure::of(&self.settings.location, &error))?;
        Ok(client)
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            // Out of the pool: the connection ends here.
            drop(Object::take(object));
        }
    }
}

/// Sends every statement, in order, before it waits for the first answer.
async fn pipelined<T>(mut calls: Vec<BoxFuture<'_, Result<T, Error>>>) -> Result<Vec<T>, Error> {
    let mut answers = Vec::with_capacity(calls.len());
    for call in &mut calls {
        // The client sends when it is first polled.
        answers.push(futures::poll!(call));
    }
    let mut values = Vec::with_capacity(calls.len());
    for (call, answer) in calls.into_iter().zip(answers) {
        values.push(match answer {
            std::task::Poll::Ready(answer) => answer?,
            std::task::Poll::Pending => call.await?,
        });
    }
    Ok(values)
}
