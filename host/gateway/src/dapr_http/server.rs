//! The door as others hold it: addresses, then sockets at work.

use super::{Door, metadata::Extended};
use crate::server::{Listener, ListenerOptions, Serving};
use berth_blocks::{Blocks, Deliveries, invocation::Target};
use berth_resources::Secret;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Bytes that a connection buffers: bodies flow better through more than the head may have.
const BUFFER: usize = 64 << 10;

/// How a door is set up.
#[derive(Debug, Clone)]
pub struct DaprHttpOptions {
    /// On whose behalf every call through the door is made.
    pub caller: Target,
    /// What clients must show; absent: nothing.
    pub token: Option<Secret>,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// Connections at the same time; more wait in the kernel's backlog.
    pub connections_max: usize,
}

/// Addresses that are ours but do not accept yet.
pub struct DaprHttp {
    listeners: Vec<Listener>,
    address: SocketAddr,
    options: DaprHttpOptions,
}

impl DaprHttp {
    /// Reserves one port of every address. Port 0 picks a free one.
    ///
    /// # Errors
    /// The address that is taken or not of this machine, and why.
    pub fn bind(
        addresses: &[IpAddr],
        port: u16,
        options: DaprHttpOptions,
    ) -> Result<Self, (SocketAddr, io::Error)> {
        let listening = ListenerOptions {
            connections_max: options.connections_max,
            head_bytes_max: BUFFER.max(options.head_bytes_max),
            open: "berth_dapr_http_connections",
            full: "berth_dapr_http_full_total",
        };
        let (mut listeners, mut port) = (Vec::new(), port);
        for &ip in addresses {
            let address = SocketAddr::new(ip, port);
            let listener = Listener::bind(address, listening).map_err(|error| (address, error))?;
            port = listener.address().port();
            listeners.push(listener);
        }
        let first = listeners.first().map(Listener::address);
        Ok(Self {
            listeners,
            address: first.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port))),
            options,
        })
    }

    /// Where it listens, on the first of its addresses.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers from now on.
    ///
    /// # Errors
    /// When another process took an address meanwhile.
    pub fn serve(self, blocks: Blocks, deliveries: Arc<Deliveries>) -> io::Result<ServingDaprHttp> {
        let caller = &self.options.caller;
        let door = Arc::new(Door {
            tracer: blocks.tracing().tracer(&caller.namespace, &caller.app),
            blocks,
            deliveries,
            caller: self.options.caller,
            ip: self.address.ip(),
            token: self.options.token,
            body_bytes_max: self.options.body_bytes_max,
            head_bytes_max: self.options.head_bytes_max,
            extended: Extended::default(),
            draining: AtomicBool::new(false),
        });
        let sockets = self.listeners.into_iter();
        let serving = sockets.map(|listener| listener.serve(door.clone()));
        Ok(ServingDaprHttp {
            address: self.address,
            serving: serving.collect::<io::Result<_>>()?,
            door,
        })
    }
}

/// A door at work.
pub struct ServingDaprHttp {
    address: SocketAddr,
    serving: Vec<Serving>,
    door: Arc<Door>,
}

impl ServingDaprHttp {
    /// Where it listens, on the first of its addresses.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// On whose behalf calls are made.
    #[must_use]
    pub fn caller(&self) -> &Target {
        &self.door.caller
    }

    /// Closes the sockets and lets every connection finish the request under way, for at most `limit`. Returns how many
    /// were cut.
    pub async fn drain(self, limit: Duration) -> usize {
        self.door.draining.store(true, Ordering::Relaxed);
        let mut draining = tokio::task::JoinSet::new();
        for serving in self.serving {
            draining.spawn(serving.drain(limit));
        }
        draining.join_all().await.into_iter().sum()
    }
}
