//! The ingress as others hold it: an address, then a socket at work whose routes can be replaced.

use super::{
    RouteTable,
    request::{Answer, Handler},
};
use crate::server::{Listener, ListenerOptions, Serving};
use arc_swap::ArcSwap;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};

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
    listener: Listener,
    routes: Arc<ArcSwap<RouteTable>>,
}

impl Ingress {
    /// Reserves the address. Port 0 picks a free one.
    ///
    /// # Errors
    /// When the address is taken or not of this machine.
    pub fn bind(address: SocketAddr, options: IngressOptions) -> io::Result<Self> {
        let options = ListenerOptions {
            connections_max: options.connections_max,
            head_bytes_max: options.head_bytes_max,
            open: "berth_ingress_connections",
            full: "berth_ingress_full_total",
        };
        Ok(Self {
            listener: Listener::bind(address, options)?,
            routes: Arc::default(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Accepts connections from now on.
    ///
    /// # Errors
    /// When another process took the address meanwhile.
    pub fn serve<A: Answer>(self, apps: Arc<A>, routes: RouteTable) -> io::Result<ServingIngress> {
        self.routes.store(Arc::new(routes));
        let handler = Handler {
            routes: self.routes.clone(),
            apps,
        };
        Ok(ServingIngress {
            serving: self.listener.serve(Arc::new(handler))?,
            routes: self.routes,
        })
    }
}

/// An ingress at work.
pub struct ServingIngress {
    serving: Serving,
    routes: Arc<ArcSwap<RouteTable>>,
}

impl ServingIngress {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// Replaces the routes: requests that come after this see the new ones.
    pub fn swap(&self, routes: RouteTable) {
        self.routes.store(Arc::new(routes));
    }

    /// Closes the listening socket and lets every connection finish the request under way, for at most `limit`.
    /// Returns how many were cut.
    pub async fn drain(self, limit: Duration) -> usize {
        self.serving.drain(limit).await
    }
}
