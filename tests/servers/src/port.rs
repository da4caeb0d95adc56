//! Ports that nobody uses.

use std::net::TcpListener;

/// A free port of the loopback interface. Somebody else may take it before the server does: start again then.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
