//! The network between a client and a server, which can fail.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::{
    io,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Fair,
    /// New connections are closed at once.
    Cut,
}

/// Passes connections on to a server until it is told to cut them.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    weather: Arc<watch::Sender<(Weather, u64)>>,
    acceptor: JoinHandle<()>,
}

impl Proxy {
    /// A proxy before the server on a port of the loopback interface.
    pub async fn before(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let weather = Arc::new(watch::Sender::new((Weather::Fair, 0)));
        let seen = weather.clone();
        let acceptor = tokio::spawn(async move {
            loop {
                // The test runs out of files: it will fail by itself.
                let Ok((client, _)) = listener.accept().await else {
                    return;
                };
                tokio::spawn(pass(client, server, seen.subscribe()));
            }
        });
        Self {
            port,
            weather,
            acceptor,
        }
    }

    /// The port that clients connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes every connection; new ones work.
    pub fn break_connections(&self) {
        self.weather.send_modify(|(_, storms)| *storms += 1);
    }

    /// Closes every connection, and new ones as soon as they are accepted, until [`mend`](Self::mend).
    pub fn cut(&self) {
        self.weather.send_modify(|(weather, storms)| {
            *weather = Weather::Cut;
            *storms += 1;
        });
    }

    /// New connections work again.
    pub fn mend(&self) {
        self.weather
            .send_modify(|(weather, _)| *weather = Weather::Fair);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.break_connections();
    }
}

/// One connection, until either side closes it or the network fails.
async fn pass(mut client: TcpStream, port: u16, mut weather: watch::Receiver<(Weather, u64)>) {
    let (now, storms) = *weather.borrow_and_update();
    if now == Weather::Cut {
        return;
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut server) = TcpStream::connect(address).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let storm = weather.wait_for(|(_, seen)| *seen > storms);
    tokio::select! {
        _ = io::copy_bidirectional(&mut client, &mut server) => {}
        _ = storm => {}
    }
}
