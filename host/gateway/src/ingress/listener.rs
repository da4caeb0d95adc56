//! The listening socket: accepts a bounded number of connections, and stops in two steps.

use super::{
    RouteTable,
    connection::{self, Protocol, Stop},
    request::{Answer, Handler},
};
use arc_swap::ArcSwap;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
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

/// Bounds of the ingress.
#[derive(Debug, Clone, Copy)]
pub struct IngressOptions {
    /// Connections at the same time; more wait in the kernel's backlog.
    pub connections_max: usize,
    /// Bytes of a request's head; a longer one is answered with 431.
    pub head_bytes_max: usize,
}

impl Default for IngressOptions {
    fn default() -> Self {
        Self {
            connections_max: 16_384,
            head_bytes_max: 64 << 10,
        }
    }
}

/// An address that is ours but does not accept yet: a port that is taken is known before anything else is started.
pub struct Ingress {
    socket: TcpSocket,
    address: SocketAddr,
    options: IngressOptions,
    routes: Arc<ArcSwap<RouteTable>>,
}

impl Ingress {
    /// Reserves the address. Port 0 picks a free one.
    ///
    /// # Errors
    /// When the address is taken or not of this machine.
    pub fn bind(address: SocketAddr, options: IngressOptions) -> io::Result<Self> {
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
            routes: Arc::default(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections from now on.
    ///
    /// # Errors
    /// When another process took the address meanwhile.
    pub fn serve<A: Answer>(self, apps: Arc<A>, routes: RouteTable) -> io::Result<ServingIngress> {
        let listener = self.socket.listen(BACKLOG)?;
        self.routes.store(Arc::new(routes));
        let stop = Stop::default();
        let connections = TaskTracker::new();
        let acceptor = Acceptor {
            listener,
            places: Arc::new(Semaphore::new(self.options.connections_max)),
            protocol: Protocol::new(self.options.head_bytes_max),
            handler: Arc::new(Handler {
                routes: self.routes.clone(),
                apps,
            }),
            connections: connections.clone(),
            stop: stop.clone(),
        };
        Ok(ServingIngress {
            address: self.address,
            routes: self.routes,
            acceptor: tokio::spawn(acceptor.run()),
            connections,
            stop,
        })
    }
}

/// An ingress at work.
pub struct ServingIngress {
    address: SocketAddr,
    routes: Arc<ArcSwap<RouteTable>>,
    acceptor: JoinHandle<()>,
    connections: TaskTracker,
    stop: Stop,
}

impl ServingIngress {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the routes: requests that come after this see the new ones.
    pub fn swap(&self, routes: RouteTable) {
        self.routes.store(Arc::new(routes));
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

struct Acceptor<A> {
    listener: TcpListener,
    places: Arc<Semaphore>,
    protocol: Protocol,
    handler: Arc<Handler<A>>,
    connections: TaskTracker,
    stop: Stop,
}

impl<A: Answer> Acceptor<A> {
    async fn run(self) {
        let stopped = self.stop.gently.clone();
        tokio::select! {
            biased;
            () = stopped.cancelled() => {}
            () = self.accept() => {}
        }
    }

    async fn accept(&self) {
        let open = metrics::gauge!("berth_ingress_connections");
        let full = metrics::counter!("berth_ingress_full_total");
        loop {
            if self.places.available_permits() == 0 {
                full.increment(1);
            }
            // The semaphore is never closed.
            let Ok(place) = self.places.clone().acquire_owned().await else {
                return;
            };
            let Some(stream) = self.next().await else {
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

    async fn next(&self) -> Option<TcpStream> {
        match self.listener.accept().await {
            Ok((stream, _)) => Some(stream),
            Err(error) if is_of_the_client(&error) => None,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection");
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
