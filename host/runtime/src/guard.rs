//! Ends a client's connection when a response outlives its deadline because the client does not read it.
//!
//! A body is polled only when there is room for more of it. A client that stops reading would thus hold an instance for
//! ever: the connection has to watch the clock itself.

use parking_lot::Mutex;
use std::{
    future::Future,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

/// Time beyond the deadline in which a body that is still being read ends by itself, with its reason in the log.
const GRACE: Duration = Duration::from_millis(500);

/// One per client connection; a clone goes into the extensions of each request.
#[derive(Debug, Clone, Default)]
pub struct DeadlineGuard(Arc<Mutex<Vec<Instant>>>);

/// A response that is being sent.
#[derive(Debug)]
pub(crate) struct Watched {
    guard: DeadlineGuard,
    deadline: Instant,
}

impl DeadlineGuard {
    /// Watches a response until the result is dropped.
    pub(crate) fn enter(&self, deadline: Instant) -> Watched {
        self.0.lock().push(deadline);
        Watched {
            guard: self.clone(),
            deadline,
        }
    }

    fn next(&self) -> Option<Instant> {
        self.0.lock().iter().min().copied()
    }

    /// Drives a connection; `None` if it was ended because a deadline passed.
    pub async fn watch<F: Future>(&self, connection: F) -> Option<F::Output> {
        let mut connection = std::pin::pin!(connection);
        let mut armed: Option<Instant> = None;
        let mut timer = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        std::future::poll_fn(|context| {
            if let Poll::Ready(output) = connection.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let Some(deadline) = self.next() else {
                armed = None;
                return Poll::Pending;
            };
            if armed != Some(deadline) {
                armed = Some(deadline);
                timer.as_mut().reset((deadline + GRACE).into());
            }
            timer.as_mut().poll(context).map(|()| None)
        })
        .await
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut deadlines = self.guard.0.lock();
        if let Some(place) = deadlines
            .iter()
            .position(|deadline| *deadline == self.deadline)
        {
            deadlines.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_when_a_response_outlives_its_deadline() {
        let guard = DeadlineGuard::default();
        let _response =
            guard.enter(tokio::time::Instant::now().into_std() + Duration::from_secs(5));
        assert_eq!(guard.watch(std::future::pending::<()>()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_response_is_left_alone() {
        let guard = DeadlineGuard::default();
        drop(guard.enter(tokio::time::Instant::now().into_std() + Duration::from_secs(5)));
        let slow = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            "done"
        };
        assert_eq!(guard.watch(slow).await, Some("done"));
    }
}
