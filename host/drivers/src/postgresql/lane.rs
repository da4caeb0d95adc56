//! One connection that many calls use at a time, and the task that keeps it up.

use super::{
    error::Failure,
    session::Session,
    settings::{Connected, Settings},
    statement::{Parameters, Statement},
};
use crate::{
    task::Task,
    together::{Underway, Waiting},
};
use rand::RngExt as _;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit, watch},
    time::{Instant, sleep, timeout},
};
use tokio_postgres::{Error, Row};

/// Calls that one connection has under way; more wait.
const CALLS_MAX: usize = 1_024;
/// How often an idle connection is looked at: firewalls forget silent ones.
const IDLE_PROBE: Duration = Duration::from_secs(30);
/// A connection that lived as long was a good one: the next attempt comes at once.
const STEADY: Duration = Duration::from_secs(5);
/// Between attempts to connect; doubled with each.
const WAIT_MIN: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(2);
/// The longest that the server may take to cancel what a connection waits for.
const CANCEL_BOUND: Duration = Duration::from_secs(1);

/// The state of the connection.
enum State {
    /// The first attempt, or the first one after a loss: calls wait for its outcome.
    Connecting,
    Up(Arc<Session>),
    /// The last attempt failed like this: calls fail at once.
    Down(Failure),
}

pub(super) struct Lane {
    shared: Arc<Shared>,
    _supervisor: Task,
}

struct Shared {
    location: String,
    state: watch::Sender<State>,
    places: Semaphore,
    /// Calls that wait for an answer.
    underway: Underway,
    /// Answers that ever came: a connection that is stuck makes no progress here.
    answered: AtomicU64,
    /// A call was given up.
    suspicion: Notify,
}

/// A call that waits for its answer.
struct Call<'s> {
    shared: &'s Shared,
    session: Arc<Session>,
    answered: AtomicBool,
    _place: SemaphorePermit<'s>,
    _waiting: Waiting,
}

impl Call<'_> {
    fn answer<T>(&self, answer: Result<T, Error>) -> Result<T, Failure> {
        self.answered.store(true, Ordering::Relaxed);
        self.shared.answered.fetch_add(1, Ordering::Relaxed);
        answer.map_err(|error| Failure::of(&self.shared.location, &error))
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.answered.load(Ordering::Relaxed) {
            self.shared.suspicion.notify_one();
        }
    }
}

impl Lane {
    pub(super) fn start(settings: Arc<Settings>) -> Self {
        let shared = Arc::new(Shared {
            location: settings.location.clone(),
            state: watch::Sender::new(State::Connecting),
            places: Semaphore::new(CALLS_MAX),
            underway: Underway::default(),
            answered: AtomicU64::new(0),
            suspicion: Notify::new(),
        });
        let supervisor = Task::spawn(keep_up(settings, shared.clone()));
        Self {
            shared,
            _supervisor: supervisor,
        }
    }

    /// Waits for the first connection.
    pub(super) async fn ready(&self) -> Result<(), Failure> {
        self.settled().await.map(drop)
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(&*self.shared.state.borrow(), State::Up(_))
    }

    /// Why the last attempt failed, while there is no connection.
    pub(super) fn failure(&self) -> Option<Failure> {
        match &*self.shared.state.borrow() {
            State::Down(failure) => Some(failure.clone()),
            State::Connecting | State::Up(_) => None,
        }
    }

    pub(super) async fn rows(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let call = self.begin().await?;
        call.answer(call.session.rows(statement, parameters).await)
    }

    pub(super) async fn execute(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<u64, Failure> {
        let call = self.begin().await?;
        call.answer(call.session.execute(statement, parameters).await)
    }

    async fn begin(&self) -> Result<Call<'_>, Failure> {
        let shared = &*self.shared;
        let place = shared.places.acquire().await;
        let place = place.map_err(|_| self.closing())?;
        let session = self.session().await?;
        Ok(Call {
            shared,
            session,
            answered: AtomicBool::new(false),
            _place: place,
            _waiting: shared.underway.begin(),
        })
    }

    /// The connection; the fast path of every call.
    async fn session(&self) -> Result<Arc<Session>, Failure> {
        match &*self.shared.state.borrow() {
            State::Up(session) => return Ok(session.clone()),
            State::Down(failure) => return Err(failure.clone()),
            State::Connecting => {}
        }
        self.settled().await
    }

    /// Waits for the outcome of the attempt that runs.
    async fn settled(&self) -> Result<Arc<Session>, Failure> {
        let mut state = self.shared.state.subscribe();
        let settled = state
            .wait_for(|state| !matches!(state, State::Connecting))
            .await;
        match settled.as_deref() {
            Ok(State::Up(session)) => Ok(session.clone()),
            Ok(State::Down(failure)) => Err(failure.clone()),
            Ok(State::Connecting) | Err(_) => Err(self.closing()),
        }
    }

    fn closing(&self) -> Failure {
        Failure::unavailable(&self.shared.location, "the connection is being closed")
    }
}

/// Connects, watches, and connects again, until the lane is dropped.
async fn keep_up(settings: Arc<Settings>, shared: Arc<Shared>) {
    let mut failures = 0_u32;
    loop {
        match settings.connect().await {
            Ok(connected) => {
                if failures > 0 {
                    tracing::info!(server = settings.location, "connected again");
                }
                let since = Instant::now();
                watch_over(&settings, &shared, connected).await;
                tracing::warn!(server = settings.location, "a connection is lost");
                failures = if since.elapsed() >= STEADY {
                    0
                } else {
                    failures.saturating_add(1)
                };
            }
            Err(failure) => {
                // Once per outage, not once per attempt.
                if !matches!(&*shared.state.borrow(), State::Down(_)) {
                    tracing::warn!(cause = %failure, "no connection");
                }
                failures = failures.saturating_add(1);
                shared.state.send_replace(State::Down(failure));
            }
        }
        if failures > 0 {
            sleep(wait(failures)).await;
        }
    }
}

/// Serves calls by this connection until it is of no use any more.
async fn watch_over(settings: &Settings, shared: &Shared, connected: Connected) {
    let Connected { client, connection } = connected;
    let mut driver = shared.underway.spawn(connection);
    let session = Arc::new(Session::new(client, settings.query_mode));
    shared.state.send_replace(State::Up(session.clone()));
    let patience = settings.patience();
    let mut probed = Instant::now();
    loop {
        let before = shared.answered.load(Ordering::Relaxed);
        let stuck =
            || shared.underway.count() > 0 && shared.answered.load(Ordering::Relaxed) == before;
        tokio::select! {
            () = driver.ended() => break,
            () = shared.suspicion.notified() => {}
            () = sleep(patience / 2) => if !stuck() && probed.elapsed() < IDLE_PROBE {
                continue;
            },
        }
        probed = Instant::now();
        let before = shared.answered.load(Ordering::Relaxed);
        match timeout(patience, session.client.check_connection()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            // Something else was answered meanwhile: it is busy, not stuck.
            Err(_) if shared.answered.load(Ordering::Relaxed) != before => {}
            Err(_) => {
                shared.state.send_replace(State::Connecting);
                cancel(settings, &session).await;
                break;
            }
        }
    }
    shared.state.send_replace(State::Connecting);
}

/// Asks the server to give up what the connection waits for, such as a lock: it would be done after all, when nobody
/// waits for it any more.
async fn cancel(settings: &Settings, session: &Session) {
    let token = session.client.cancel_token();
    let cancelling = token.cancel_query(settings.tls.clone());
    // A server that does not answer to this either is gone.
    let _ = timeout(CANCEL_BOUND, cancelling).await;
}

/// Before the attempt that follows as many failures in a row: doubled, and different for each lane and host.
fn wait(failures: u32) -> Duration {
    let doubled = WAIT_MIN.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled
        .min(WAIT_MAX)
        .mul_f64(rand::rng().random_range(0.5..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound() {
        let half = WAIT_MIN / 2;
        assert!((half..WAIT_MIN).contains(&wait(1)));
        for failures in [7, 100, u32::MAX] {
            assert!((WAIT_MAX / 2..WAIT_MAX).contains(&wait(failures)));
        }
    }
}
