//! The listening socket: accepts a bounded number of connections, and stops in two steps.

use super::{
    Handle,
    connection::{self, Protocol, Stop},
};
use std::{io, mem, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};
use tokio_util::task::TaskTracker;

/// Connections that the kernel may hold for us.
const BACKLOG: u32 = 4096;
/// Pause after an accept that failed for want of resources, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bounds and names of one socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListenerOptions {
    /// Connections at the same time; more wait in the kernel's backlog.
    pub connections_max: usize,
    /// Bytes of a request's head; a longer one is answered with 431.
    pub head_bytes_max: usize,
    /// Name of the gauge of open connections.
    pub open: &'static str,
    /// Name of the counter of moments without a free place.
    pub full: &'static str,
}

/// An address that is ours but does not accept yet: a port that is taken is known before anything else is started.
pub(crate) struct Listener {
    socket: TcpSocket,
    address: SocketAddr,
    options: ListenerOptions,
}

impl Listener {
    /// Reserves the address. Port 0 picks a free one.
    pub fn bind(address: SocketAddr, options: ListenerOptions) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A host that restarts must get its port back while old connections still linger.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            options,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections from now on.
    pub fn serve<H: Handle>(self, handler: Arc<H>) -> io::Result<Serving> {
        let listener = self.socket.listen(BACKLOG)?;
        let stop = Stop::default();
        let connections = TaskTracker::new();
        let acceptor = Acceptor {
            listener,
            places: Arc::new(Semaphore::new(self.options.connections_max)),
            protocol: Protocol::new(self.options.head_bytes_max),
            handler,
            connections: connections.clone(),
            stop: stop.clone(),
            options: self.options,
        };
        Ok(Serving {
            address: self.address,
            acceptor: tokio::spawn(acceptor.run()),
            connections,
            stop,
        })
    }
}

/// A socket at work.
pub(crate) struct Serving {
    address: SocketAddr,
    acceptor: JoinHandle<()>,
    connections: TaskTracker,
    stop: Stop,
}

impl Serving {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the listening socket and lets every connection finish the request under way, for at most `limit`.
    /// Returns how many were cut.
    pub async fn drain(self, limit: Duration) -> usize {
        self.stop.gently.cancel();
        let _ = self.acceptor.await;
        self.connections.close();
        if tokio::time::timeout(limit, self.connections.wait())
            .await
            .is_ok()
        {
            return 0;
        }
        let cut = self.connections.len();
        self.stop.now.cancel();
        self.connections.wait().await;
        cut
    }
}

struct Acceptor<H> {
    listener: TcpListener,
    places: Arc<Semaphore>,
    protocol: Protocol,
    handler: Arc<H>,
    connections: TaskTracker,
    stop: Stop,
    options: ListenerOptions,
}

impl<H: Handle> Acceptor<H> {
    async fn run(self) {
        let stopped = self.stop.gently.clone();
        tokio::select! {
            biased;
            () = stopped.cancelled() => {}
            () = self.accept() => {}
        }
    }

    async fn accept(&self) {
        let open = metrics::gauge!(self.options.open);
        let full = metrics::counter!(self.options.full);
        let mut short_of_resources = false;
        loop {
            if self.places.available_permits() == 0 {
                full.increment(1);
            }
            // The semaphore is never closed.
            let Ok(place) = self.places.clone().acquire_owned().await else {
                return;
            };
            let Some(stream) = self.next(&mut short_of_resources).await else {
                continue;
            };
            let conversation = connection::serve(
                stream,
                self.protocol.clone(),
                self.handler.clone(),
                self.stop.clone(),
            );
            let open = OpenConnection::count(&open);
            self.connections.spawn(async move {
                let _held = (place, open);
                conversation.await;
            });
        }
    }

    async fn next(&self, short_of_resources: &mut bool) -> Option<TcpStream> {
        match self.listener.accept().await {
            Ok((stream, _)) => {
                *short_of_resources = false;
                Some(stream)
            }
            Err(error) if is_of_the_client(&error) => None,
            Err(error) => {
                // Said once, however often it is tried.
                if !mem::replace(short_of_resources, true) {
                    tracing::warn!(%error, "accepting a connection");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

/// The client went away between its handshake and our accept.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// Counts a connection for as long as it lives.
struct OpenConnection(metrics::Gauge);

impl OpenConnection {
    fn count(open: &metrics::Gauge) -> Self {
        open.increment(1.0);
        Self(open.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
