//! What the doors that carry traffic share: a listening socket, connections of HTTP/1.1 and HTTP/2 (prior knowledge),
//! and an end in two steps.
//!
//! ```text
//! accept ──▶ connection task ──▶ Handle::handle
//!                  └── one task drives socket, handler and body: no channel, no hand-over between threads
//! ```

mod connection;
mod listener;
mod unread;

pub(crate) use listener::{Listener, ListenerOptions, Serving};

use berth_blocks::invocation::Body;
use berth_runtime::DeadlineGuard;
use http::{Request, Response};

/// Answers the requests of a door.
pub(crate) trait Handle: Send + Sync + 'static {
    /// Whatever goes wrong is a response, too. The guard belongs to the connection: it goes with a request to a guest.
    fn handle(
        &self,
        request: Request<Body>,
        guard: DeadlineGuard,
    ) -> impl Future<Output = Response<Body>> + Send;
}
