//! One PostgreSQL database, shared by every driver that keeps something in it.
//!
//! ```text
//! call        ──▶ lanes: a few connections, each with many statements under way at a time
//! transaction ──▶ pool: a connection of its own while it runs
//! ```
//!
//! Calls do not wait for one another's answers: what is sent on a lane meanwhile goes out together, so that few
//! connections serve many calls. Each lane has a task that keeps it up; while none is up, calls fail at once. Backends
//! with equal settings share one [`Database`], found through the registry's shared connections.

mod connection_string;
mod error;
mod exclusive;
mod lane;
mod session;
mod settings;
mod simple;
mod statement;
mod tls;

pub(crate) use error::{Failure, Fault};
pub(crate) use exclusive::{Exclusive, Rows, Step};
pub(crate) use settings::{Given, QueryMode, Settings};
pub(crate) use simple::{literal, run_simple};
pub(crate) use statement::{Parameters, Statement};

use berth_blocks::registry::{OpenContext, OpenError};
use exclusive::Pool;
use lane::Lane;
use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio_postgres::Row;

/// An open database. Dropped: every connection and every task of it ends.
pub(crate) struct Database {
    settings: Arc<Settings>,
    lanes: Vec<Lane>,
    /// Where the search for a lane begins, so that all get their share.
    next: AtomicUsize,
    pool: Pool,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database")
            .field(&self.settings.location)
            .finish()
    }
}

impl Database {
    /// The database of these settings, connected if no other backend of this host is.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub(crate) async fn shared(
        context: &OpenContext,
        settings: Settings,
    ) -> Result<Arc<Self>, OpenError> {
        let identity = settings.identity();
        let open = || Self::start(Arc::new(settings));
        let database = context.connections.shared(&identity, open)?;
        database.lane().ready().await?;
        Ok(database)
    }

    fn start(settings: Arc<Settings>) -> Result<Self, OpenError> {
        let (lanes, exclusive) = settings.connections();
        Ok(Self {
            lanes: (0..lanes).map(|_| Lane::start(settings.clone())).collect(),
            next: AtomicUsize::new(0),
            pool: Pool::new(settings.clone(), exclusive)?,
            settings,
        })
    }

    /// Where the database is, for messages.
    pub(crate) fn location(&self) -> &str {
        &self.settings.location
    }

    /// The rows of one statement, which is a transaction of its own.
    ///
    /// # Errors
    /// The client's failure or the server's refusal.
    pub(crate) async fn rows(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        self.in_time(self.lane().rows(statement, parameters)).await
    }

    /// How many rows one statement, which is a transaction of its own, has changed.
    ///
    /// # Errors
    /// The client's failure or the server's refusal.
    pub(crate) async fn execute(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<u64, Failure> {
        self.in_time(self.lane().execute(statement, parameters))
            .await
    }

    /// Executes the steps in order as one transaction, which is committed if `check` agrees to the number of rows that
    /// each has changed.
    ///
    /// # Errors
    /// What `check` says, the client's failure or the server's refusal. Nothing is changed then.
    pub(crate) async fn transact<E: From<Failure>>(
        &self,
        steps: &[(&Statement, Parameters<'_>)],
        check: impl FnOnce(&[u64]) -> Result<(), E>,
    ) -> Result<(), E> {
        let transaction = async {
            let mut connection = self.exclusive().await?;
            let counts = connection.begin_and_execute(steps).await;
            match counts.map_err(E::from).and_then(|counts| check(&counts)) {
                Ok(()) => Ok(connection.commit().await?),
                Err(error) => {
                    connection.roll_back().await;
                    Err(error)
                }
            }
        };
        self.in_time(transaction).await
    }

    /// Executes the steps in order as one transaction in one go: the rows of each. No step waits for another's rows to
    /// come back, so that what depends on them is said in the statements.
    ///
    /// # Errors
    /// The client's failure or the server's refusal. Nothing is changed then, or, where the connection broke, it is
    /// unknown.
    pub(crate) async fn transact_rows(&self, steps: &[Step<'_>]) -> Result<Rows, Failure> {
        let transaction = async { self.exclusive().await?.transaction(steps).await };
        self.in_time(transaction).await
    }

    /// A connection for one user.
    ///
    /// # Errors
    /// There is none in time.
    pub(crate) async fn exclusive(&self) -> Result<Exclusive, Failure> {
        // While the server is away this fails at once, as other calls do.
        let failures: Option<Vec<Failure>> = self.lanes.iter().map(Lane::failure).collect();
        if let Some(failure) = failures.and_then(|all| all.into_iter().next()) {
            return Err(failure);
        }
        self.pool.take().await
    }

    /// One that is up, if any is.
    fn lane(&self) -> &Lane {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let (before, from) = self.lanes.split_at(start % self.lanes.len());
        let mut all = from.iter().chain(before);
        let fallback = all.clone().next();
        all.find(|lane| lane.is_up())
            .or(fallback)
            .unwrap_or(&self.lanes[0])
    }

    /// Bounds a call by the setting `timeout`.
    pub(crate) async fn in_time<T, E: From<Failure>>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let answer = tokio::time::timeout(self.settings.timeout, call).await;
        answer.unwrap_or_else(|_| {
            Err(Failure::timeout(self.location(), self.settings.timeout).into())
        })
    }
}
