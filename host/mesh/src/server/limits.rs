//! What callers may cost before they are refused.

use std::time::Duration;

/// Bounds of the listener for other hosts.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Connections at the same time; more wait in the kernel's backlog.
    pub connections_max: usize,
    /// Connections of one calling app, from all its hosts together; more are closed.
    pub connections_per_app_max: usize,
    /// Handshakes at the same time: slow ones take no place of connections.
    pub handshakes_max: usize,
    /// The longest that a handshake may take.
    pub handshake_timeout: Duration,
    /// Requests at the same time on one connection; a caller that needs more opens another one.
    pub streams_max: u32,
    /// Bytes of a request's head as RFC 9113 section 6.5.2 counts them; a longer one is answered with 431.
    pub head_bytes_max: u32,
    /// Requests that were reset before they were looked at (rapid reset, CVE-2023-44487); more end the connection.
    pub reset_streams_max: usize,
    /// Streams that we had to reset for the peer's errors; more end the connection.
    pub faulty_streams_max: usize,
    /// A connection without requests is closed after this time.
    pub idle_timeout: Duration,
    /// A request whose caller says no time may take this long until its answer begins; nobody may ask for more.
    pub request_timeout_max: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            connections_per_app_max: 512,
            handshakes_max: 256,
            handshake_timeout: Duration::from_secs(3),
            streams_max: 256,
            head_bytes_max: 64 << 10,
            reset_streams_max: 32,
            faulty_streams_max: 64,
            idle_timeout: Duration::from_secs(120),
            request_timeout_max: Duration::from_secs(24 * 3600),
        }
    }
}
