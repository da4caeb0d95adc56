//! The listening socket for other hosts.

use super::{
    connection::{self, Stop, protocol},
    handshake,
    limits::ServerLimits,
    request::Answering,
    shares::Shares,
};
use crate::{access::Gate, security::Security};
use hyper::server::conn::http2;
use hyper_util::rt::TokioExecutor;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};
use tokio_util::task::TaskTracker;

/// Connections that the kernel may hold for us.
const BACKLOG: u32 = 4096;
/// Pause after an accept that failed for want of resources, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An address that is ours but does not accept yet: a port that is taken is known before anything else is started.
pub struct MeshListener {
    socket: TcpSocket,
    address: SocketAddr,
    security: Security,
    limits: ServerLimits,
}

impl MeshListener {
    /// Reserves the address. Port 0 picks a free one.
    ///
    /// # Errors
    /// The address is taken or not of this machine; `InvalidInput` for plain text beyond loopback.
    pub fn bind(address: SocketAddr, security: Security, limits: ServerLimits) -> io::Result<Self> {
        security
            .permit(address)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
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
            security,
            limits,
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
    /// Another process took the address meanwhile.
    pub fn serve(self, gate: Arc<Gate>) -> io::Result<ServingMesh> {
        let listener = self.socket.listen(BACKLOG)?;
        let stop = Stop::default();
        let connections = TaskTracker::new();
        let protocol = protocol(&self.limits);
        let answering = Arc::new(Answering {
            gate,
            limits: self.limits,
            draining: AtomicBool::new(false),
        });
        let limits = &answering.limits;
        let acceptor = Acceptor {
            places: Arc::new(Semaphore::new(limits.connections_max)),
            handshakes: Arc::new(Semaphore::new(limits.handshakes_max)),
            listener,
            protocol,
            security: self.security,
            answering: answering.clone(),
            connections: connections.clone(),
            shares: Shares::default(),
            stop: stop.clone(),
        };
        Ok(ServingMesh {
            address: self.address,
            acceptor: tokio::spawn(acceptor.run()),
            answering,
            connections,
            stop,
        })
    }
}

/// A listener at work.
pub struct ServingMesh {
    address: SocketAddr,
    acceptor: JoinHandle<()>,
    answering: Arc<Answering>,
    connections: TaskTracker,
    stop: Stop,
}

impl ServingMesh {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections at the moment, those in the handshake included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Takes nothing new (callers are told by GOAWAY, RFC 9113 section 6.8) and lets every request under way finish,
    /// for at most `limit`. Returns how many connections were cut. Withdraw the host's apps from the registry first.
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
        // What still comes in on a connection that does not end is told to go elsewhere.
        self.answering.draining.store(true, Ordering::Relaxed);
        let cut = self.connections.len();
        self.stop.now.cancel();
        self.connections.wait().await;
        cut
    }
}

struct Acceptor {
    listener: TcpListener,
    places: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    protocol: http2::Builder<TokioExecutor>,
    security: Security,
    answering: Arc<Answering>,
    connections: TaskTracker,
    shares: Shares,
    stop: Stop,
}

impl Acceptor {
    async fn run(self) {
        let stopped = self.stop.gently.clone();
        tokio::select! {
            biased;
            () = stopped.cancelled() => {}
            () = self.accept() => {}
        }
    }

    async fn accept(&self) {
        loop {
            if self.places.available_permits() == 0 {
                super::refused::count("connections_full");
            }
            let place = self.places.clone().acquire_owned().await;
            let handshake = self.handshakes.clone().acquire_owned().await;
            // The semaphores are never closed.
            let (Ok(place), Ok(handshake)) = (place, handshake) else {
                return;
            };
            if let Some(stream) = self.next().await {
                self.converse(stream, place, handshake);
            }
        }
    }

    fn converse(
        &self,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        handshake: OwnedSemaphorePermit,
    ) {
        let (security, answering) = (self.security.clone(), self.answering.clone());
        let (protocol, stop) = (self.protocol.clone(), self.stop.clone());
        let shares = self.shares.clone();
        let open = metrics::gauge!("berth_mesh_connections", "side" => "server");
        self.connections.spawn(async move {
            let _place = place;
            let accepting = handshake::accept(stream, &security, &answering.limits);
            let accepted = tokio::select! {
                biased;
                () = stop.gently.cancelled() => None,
                accepted = accepting => accepted,
            };
            drop(handshake);
            if let Some(accepted) = accepted {
                let max = answering.limits.connections_per_app_max;
                let share = accepted.caller().map(|caller| shares.take(caller, max));
                if matches!(share, Some(None)) {
                    return super::refused::count("connections_of_app_full");
                }
                open.increment(1.0);
                connection::serve(accepted, protocol, answering, stop).await;
                open.decrement(1.0);
            }
        });
    }

    async fn next(&self) -> Option<TcpStream> {
        match self.listener.accept().await {
            Ok((stream, _)) => Some(stream),
            Err(error) if is_of_the_client(&error) => None,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection of another host");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

/// The caller went away between its handshake and our accept.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
