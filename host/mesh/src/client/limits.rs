//! How patient calls to other hosts are.

use std::time::Duration;

/// Bounds of calls to other hosts.
#[derive(Debug, Clone)]
pub struct ClientLimits {
    /// The longest that a connection may take to be made.
    pub connect_timeout: Duration,
    /// The longest that its handshake may take, until the other side has accepted us.
    pub handshake_timeout: Duration,
    /// Hosts that one call may try.
    pub attempts_max: usize,
    /// Requests on one connection before another one is made beside it.
    pub streams_per_connection: usize,
    /// Connections of one calling app to one app on one host.
    pub connections_max: usize,
    /// A connection without requests is closed after this time.
    pub idle_timeout: Duration,
    /// How long an answer of the resolver counts before it is asked again.
    pub resolution_ttl: Duration,
    /// How long a call waits for a resolver that has never answered for the app.
    pub resolution_timeout: Duration,
    /// How often a connection with requests is probed; it is given up if a probe is not answered as long.
    pub probe_interval: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            handshake_timeout: Duration::from_secs(2),
            attempts_max: 3,
            streams_per_connection: 128,
            connections_max: 4,
            idle_timeout: Duration::from_secs(60),
            resolution_ttl: Duration::from_secs(1),
            resolution_timeout: Duration::from_secs(5),
            probe_interval: Duration::from_secs(5),
        }
    }
}
