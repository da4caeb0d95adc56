//! The shared connection to one server (or the master that Sentinel names), and the task that keeps it up.

use super::{
    error::{Failure, Fault},
    node::{NodeConnection, Role, answers_of, connect_master},
    settings::Settings,
};
use crate::{
    task::Task,
    together::{Underway, Waiting},
};
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value, aio::MultiplexedConnection};
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};

/// How often an idle connection is looked at: firewalls forget silent ones.
const IDLE_PROBE: Duration = Duration::from_secs(30);
/// A connection that lived as long was a good one: the next attempts begin with the shortest wait again.
const STEADY: Duration = Duration::from_secs(5);
/// What a probe waits where calls wait without end.
const PROBE_PATIENCE: Duration = Duration::from_secs(3);

/// The state of the connection.
#[derive(Debug, Clone)]
enum State {
    /// The first attempt, or the first one after a loss: calls wait for its outcome.
    Connecting,
    Up {
        connection: MultiplexedConnection,
        underway: Underway,
        location: Arc<str>,
    },
    /// The last attempt failed like this: calls fail at once.
    Down(Failure),
}

#[derive(Debug)]
pub(super) struct NodeLink {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    _supervisor: Task,
}

#[derive(Debug)]
struct Shared {
    state: watch::Sender<State>,
    /// A call saw something that a probe should look at.
    suspicion: Notify,
    replicas: AtomicUsize,
}

impl NodeLink {
    pub(super) fn start(settings: Arc<Settings>) -> Self {
        let shared = Arc::new(Shared {
            state: watch::Sender::new(State::Connecting),
            suspicion: Notify::new(),
            replicas: AtomicUsize::new(0),
        });
        let supervisor = Task::spawn(keep_up(settings.clone(), shared.clone()));
        Self {
            settings,
            shared,
            _supervisor: supervisor,
        }
    }

    pub(super) async fn ready(&self) -> Result<(), Failure> {
        self.settled().await.map(drop)
    }

    pub(super) fn replicas(&self) -> usize {
        self.shared.replicas.load(Ordering::Relaxed)
    }

    pub(super) async fn call(&self, command: &Cmd) -> Result<Value, Failure> {
        let mut up = self.up().await?;
        // Large, so that it stays where it is made.
        let answer = pin!(up.connection.send_packed_command(command));
        self.outcome(answer, &up.location)
            .await
            .and_then(|value| match value {
                Value::ServerError(error) => Err(self.failure(&up.location, &error.into())),
                value => Ok(value),
            })
    }

    pub(super) async fn pipeline(&self, commands: &Pipeline) -> Result<Vec<Value>, Failure> {
        let mut up = self.up().await?;
        let (offset, count) = answers_of(commands);
        let answers = pin!(up.connection.send_packed_commands(commands, offset, count));
        self.outcome(answers, &up.location).await
    }

    async fn outcome<T>(
        &self,
        answer: Pin<&mut impl Future<Output = RedisResult<T>>>,
        location: &str,
    ) -> Result<T, Failure> {
        let answer = match self.settings.response_timeout {
            Some(bound) => timeout(bound, answer).await.unwrap_or_else(|_| {
                self.shared.suspicion.notify_one();
                Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())
            }),
            None => answer.await,
        };
        answer.map_err(|error| self.failure(location, &error))
    }

    fn failure(&self, location: &str, error: &RedisError) -> Failure {
        // A master that was made a replica: the probe finds out.
        if error.code() == Some("READONLY") {
            self.shared.suspicion.notify_one();
        }
        Failure::of(location, error)
    }

    /// The connection; the fast path of every call.
    async fn up(&self) -> Result<Up, Failure> {
        match &*self.shared.state.borrow() {
            State::Up {
                connection,
                underway,
                location,
            } => return Ok(Up::new(connection, underway, location)),
            State::Down(failure) => return Err(failure.clone()),
            State::Connecting => {}
        }
        Box::pin(self.settled_in_time()).await
    }

    /// Waits as long as for an answer.
    async fn settled_in_time(&self) -> Result<Up, Failure> {
        match self.settings.response_timeout {
            Some(bound) => timeout(bound, self.settled()).await.unwrap_or_else(|_| {
                let what = format!("not connected within {bound:?} (`readTimeout`)");
                Err(Failure::unavailable(&self.settings.location(), what))
            }),
            None => self.settled().await,
        }
    }

    /// Waits for the outcome of the attempt that runs.
    async fn settled(&self) -> Result<Up, Failure> {
        let mut state = self.shared.state.subscribe();
        let settled = state
            .wait_for(|state| !matches!(state, State::Connecting))
            .await;
        match settled.as_deref() {
            Ok(State::Up {
                connection,
                underway,
                location,
            }) => Ok(Up::new(connection, underway, location)),
            Ok(State::Down(failure)) => Err(failure.clone()),
            Ok(State::Connecting) | Err(_) => Err(Failure::unavailable(
                &self.settings.location(),
                "the connection is being closed",
            )),
        }
    }
}

/// A connection for one call.
struct Up {
    connection: MultiplexedConnection,
    location: Arc<str>,
    _waiting: Waiting,
}

impl Up {
    fn new(connection: &MultiplexedConnection, underway: &Underway, location: &Arc<str>) -> Self {
        Self {
            connection: connection.clone(),
            location: location.clone(),
            _waiting: underway.begin(),
        }
    }
}

/// Connects, watches, and connects again, until the link is dropped.
async fn keep_up(settings: Arc<Settings>, shared: Arc<Shared>) {
    let mut failures = 0_u32;
    loop {
        let wait = settings.backoff.wait(failures);
        match connect_master(&settings).await {
            Ok((mut node, location)) => {
                if failures > 0 {
                    tracing::info!(server = location, "connected again");
                }
                let since = Instant::now();
                shared.note(node.role);
                shared.state.send_replace(State::Up {
                    connection: node.connection.clone(),
                    underway: node.underway.clone(),
                    location: location.as_str().into(),
                });
                watch_over(&settings, &shared, &mut node).await;
                tracing::warn!(server = location, "the connection is lost");
                failures = if since.elapsed() >= STEADY {
                    1
                } else {
                    failures.saturating_add(1)
                };
                shared.state.send_replace(State::Connecting);
                sleep(settings.backoff.wait(failures)).await;
            }
            Err(failure) => {
                // Once per outage, not once per attempt.
                if !matches!(*shared.state.borrow(), State::Down(_)) {
                    tracing::warn!(cause = %failure, "no connection");
                }
                failures = failures.saturating_add(1);
                shared.state.send_replace(State::Down(failure));
                sleep(wait).await;
            }
        }
    }
}

/// Returns when the connection is of no use any more.
async fn watch_over(settings: &Settings, shared: &Shared, node: &mut NodeConnection) {
    let patience = settings.response_timeout.unwrap_or(PROBE_PATIENCE);
    loop {
        tokio::select! {
            () = node.driver.ended() => return,
            () = shared.suspicion.notified() => {}
            () = sleep(IDLE_PROBE) => {}
        }
        match node.probe(patience).await {
            Ok(Role::Replica) if settings.sentinel_master().is_some() => return,
            Ok(role) => shared.note(role),
            // A refusal is an answer; silence and a broken connection are none.
            Err(error) if Failure::of("", &error).fault == Fault::Auth => {}
            Err(_) => return,
        }
    }
}

impl Shared {
    fn note(&self, role: Role) {
        let replicas = match role {
            Role::Master { replicas } => replicas,
            Role::Replica | Role::Unknown => 0,
        };
        self.replicas.store(replicas, Ordering::Relaxed);
    }
}
