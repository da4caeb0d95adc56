//! The listening socket of the admin API.

use super::{AdminState, router};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// An address that is ours but answers nothing yet.
pub struct Admin {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Admin {
    /// Reserves the address. Port 0 picks a free one.
    ///
    /// # Errors
    /// When the address is taken or not of this machine.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers from now on.
    ///
    /// # Errors
    /// When the socket cannot be driven by this runtime.
    pub fn serve(self, state: Arc<AdminState>) -> io::Result<ServingAdmin> {
        let listener = TcpListener::from_std(self.listener)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            let serving = axum::serve(listener, router(state)).with_graceful_shutdown(stopped);
            if let Err(error) = serving.await {
                tracing::error!(%error, "the admin API stopped");
            }
        });
        Ok(ServingAdmin { stop, task })
    }
}

/// An admin API at work.
pub struct ServingAdmin {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl ServingAdmin {
    /// Finishes the requests under way, for at most `limit`.
    pub async fn drain(mut self, limit: Duration) {
        self.stop.cancel();
        if tokio::time::timeout(limit, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
