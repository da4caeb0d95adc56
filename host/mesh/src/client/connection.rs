//! A connection at work.

use super::connect::Connected;
use crate::{certificates::ClientKey, security::Security};
use berth_blocks::invocation::{Body, Target};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2::SendRequest},
};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};
use tokio::time::Instant;

/// A connection of one calling app to one app on one host. Dropped by its pool: it closes once its requests are over.
pub(super) struct Connection {
    /// Sending takes no longer than a push into a queue: the lock is never held across an await.
    send: Mutex<SendRequest<Body>>,
    shown: Option<Arc<ClientKey>>,
    not_after: Option<SystemTime>,
    in_flight: AtomicUsize,
    rests_since: Mutex<Instant>,
    open: metrics::Gauge,
}

impl Connection {
    pub fn new(connected: Connected) -> Self {
        let open = metrics::gauge!("berth_mesh_connections", "side" => "client");
        open.increment(1.0);
        Self {
            send: Mutex::new(connected.send),
            shown: connected.shown,
            not_after: connected.not_after,
            in_flight: AtomicUsize::new(0),
            rests_since: Mutex::new(Instant::now()),
            open,
        }
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether it may take another request: it is open, both certificates hold, and ours is the present one. That of
    /// before still serves what is under way.
    pub fn is_usable(&self, security: &Security, caller: &Target) -> bool {
        if self.send.lock().is_closed()
            || self.not_after.is_some_and(|end| end <= SystemTime::now())
        {
            return false;
        }
        match (security, &self.shown) {
            (Security::Plain, None) => true,
            (Security::Mutual(keyring), Some(shown)) => {
                let keys = keyring.keys();
                keys.client(caller)
                    .is_some_and(|present| Arc::ptr_eq(present, shown))
            }
            _ => false,
        }
    }

    /// Since when it has nothing to do.
    pub fn rests_since(&self) -> Option<Instant> {
        (self.in_flight() == 0).then(|| *self.rests_since.lock())
    }

    /// Takes a place for a request.
    pub fn begin(self: &Arc<Self>) -> Place {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Place(self.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.decrement(1.0);
    }
}

/// A request's place on a connection, until its answer has been read.
pub(super) struct Place(Arc<Connection>);

impl Place {
    /// Hands the request to the connection's task.
    pub fn send(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Body>>>> + use<> {
        self.0.send.lock().try_send_request(request)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            *self.0.rests_since.lock() = Instant::now();
        }
    }
}
