//! Ports that nobody uses.

use std::{
    net::TcpListener,
    ops::Range,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Below those that Linux gives to clients. On one of those, who tries until his server listens may connect to himself;
/// and the server may find its port taken by somebody's connection.
const PORTS: Range<u16> = 12_000..32_000;
/// Processes that follow each other begin in places of their own.
const APART: u32 = 16;

static TRIED: AtomicU32 = AtomicU32::new(0);

/// A free port of the loopback interface. No other call gives it before this process ends, in any process.
///
/// # Panics
/// There is none.
#[must_use]
pub fn free_port() -> u16 {
    let start = process::id().wrapping_mul(APART);
    PORTS
        .map(|_| {
            let tried = TRIED.fetch_add(1, Ordering::Relaxed);
            let place = start.wrapping_add(tried) % PORTS.len() as u32;
            PORTS.start + place as u16
        })
        .find(|port| reserve(*port) && TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// By a name of the kernel's that lasts as long as this process and is known where the ports are: in the same network
/// namespace.
fn reserve(port: u16) -> bool {
    SocketAddr::from_abstract_name(format!("berth-test-port-{port}"))
        .and_then(|name| UnixListener::bind_addr(&name))
        .map(std::mem::forget)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::{PORTS, free_port, reserve};
    use std::collections::HashSet;

    #[test]
    fn each_is_given_once() {
        let ports: HashSet<u16> = (0..100).map(|_| free_port()).collect();
        assert_eq!(ports.len(), 100);
        assert!(ports.iter().all(|port| PORTS.contains(port)));
        assert!(ports.iter().all(|port| !reserve(*port)));
    }
}
