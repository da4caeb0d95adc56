//! A connection to the broker that comes back.
//!
//! Nobody runs in the background: whoever needs the connection makes a new one when the old one died. After a failed
//! attempt callers get its error at once until the pause is over.

use super::pubsub_error;
use berth_blocks::pubsub::PubSubError;
use lapin::{
    AsyncTcpStream, Channel, Connection, ConnectionProperties, ErrorKind,
    tcp::OwnedTLSConfig,
    uri::{AMQPScheme, AMQPUri},
};
use parking_lot::Mutex;
use std::{
    io,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::Arc,
    time::Duration,
};
use tokio::{runtime::Handle, time::Instant};

/// How long name, connection, TLS and the handshake may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The first pause after a failed attempt; doubled with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where the broker is, and who asks.
pub(super) struct Target {
    pub(super) uri: AMQPUri,
    pub(super) tls: OwnedTLSConfig,
    pub(super) client_name: Option<String>,
    /// The longest pause between attempts.
    pub(super) reconnect_wait: Duration,
}

impl Target {
    fn address(&self) -> String {
        let authority = &self.uri.authority;
        if authority.host.contains(':') {
            return format!("[{}]:{}", authority.host, authority.port);
        }
        format!("{}:{}", authority.host, authority.port)
    }
}

/// See the module's documentation.
pub(super) struct Link {
    target: Arc<Target>,
    live: Mutex<Option<Arc<Live>>>,
    /// Held while connecting.
    attempts: tokio::sync::Mutex<Attempts>,
    closed: std::sync::atomic::AtomicBool,
}

/// Failed attempts since the last connection.
#[derive(Default)]
struct Attempts {
    failures: u32,
    /// No attempt before this moment; why the last one failed.
    pause: Option<(Instant, String)>,
}

impl Link {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            live: Mutex::default(),
            attempts: tokio::sync::Mutex::default(),
            closed: false.into(),
        }
    }

    /// The connection, made anew if it has died.
    pub(super) async fn live(&self) -> Result<Arc<Live>, String> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let mut attempts = self.attempts.lock().await;
        if self.is_closed() {
            return Err("the backend is closed".to_owned());
        }
        // Somebody else may have connected, or failed to, while this caller waited.
        if let Some(live) = self.current() {
            return Ok(live);
        }
        if let Some((until, reason)) = &attempts.pause
            && *until > Instant::now()
        {
            return Err(reason.clone());
        }
        match Live::connect(&self.target).await {
            Ok(live) => {
                *attempts = Attempts::default();
                let live = Arc::new(live);
                let before = self.live.lock().replace(live.clone());
                drop(before);
                if self.is_closed() {
                    self.close();
                }
                Ok(live)
            }
            Err(reason) => {
                attempts.failures = attempts.failures.saturating_add(1);
                let pause = pause(
                    attempts.failures,
                    self.target.reconnect_wait,
                    rand::random(),
                );
                tracing::debug!(failures = attempts.failures, ?pause, "{reason}");
                attempts.pause = Some((Instant::now() + pause, reason.clone()));
                Err(reason)
            }
        }
    }

    fn current(&self) -> Option<Arc<Live>> {
        let live = self.live.lock();
        live.as_ref().filter(|live| live.is_up()).cloned()
    }

    fn is_closed(&self) -> bool {
        self.closed.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Ends the connection, whoever still uses it, and allows no other.
    pub(super) fn close(&self) {
        self.closed
            .store(true, std::sync::atomic::Ordering::Release);
        if let Some(live) = self.live.lock().take() {
            live.close();
        }
    }
}

/// Doubles with each failure up to `longest`, less up to a half: hosts that lost their broker together come back one
/// after the other. `jitter` is 0 to 1.
fn pause(failures: u32, longest: Duration, jitter: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(longest).mul_f64(1.0 - jitter / 2.0)
}

/// An open connection.
pub(super) struct Live {
    connection: Connection,
    /// Ends the connection even when the broker does not answer.
    socket: Socket,
    address: String,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Live {
    async fn connect(target: &Target) -> Result<Self, String> {
        let address = target.address();
        tokio::time::timeout(CONNECT_TIMEOUT, Self::connect_to(target, &address))
            .await
            .unwrap_or_else(|_| {
                Err(format!(
                    "RabbitMQ at {address} does not answer within {CONNECT_TIMEOUT:?}"
                ))
            })
    }

    async fn connect_to(target: &Target, address: &str) -> Result<Self, String> {
        let failed = |error: lapin::Error| format!("connecting to RabbitMQ at {address}: {error}");
        let runtime = lapin::runtime::default_runtime().map_err(failed)?;
        let authority = &target.uri.authority;
        let addresses = tokio::net::lookup_host((authority.host.as_str(), authority.port)).await;
        let addresses: Vec<_> = addresses
            .map_err(|error| {
                format!(
                    "looking up \"{}\" of RabbitMQ: {error}; check the host name",
                    authority.host
                )
            })?
            .collect();
        let stream = AsyncTcpStream::connect(&runtime, addresses).await;
        let mut stream = stream.map_err(|error| {
            format!("connecting to RabbitMQ at {address}: {error}; check that it runs and the port")
        })?;
        let socket = match &stream {
            AsyncTcpStream::Plain(plain) => Socket::of(plain.get_ref()),
            _ => Err(io::Error::other("not a plain connection")),
        };
        let socket =
            socket.map_err(|error| format!("connecting to RabbitMQ at {address}: {error}"))?;
        if target.uri.scheme == AMQPScheme::AMQPS {
            let tls = stream.into_tls(&authority.host, target.tls.as_ref()).await;
            stream = tls.map_err(|error| {
                format!(
                    "TLS with RabbitMQ at {address}: {error}; check `caCert` (the broker's authority), \
                     `clientCert`, and that the host name is that of the certificate"
                )
            })?;
        }
        // The client's thread asks for a stream once, since it does not reconnect.
        let stream = Mutex::new(Some(stream));
        let connection = Connection::connector(
            target.uri.clone(),
            runtime,
            async move |_, _| {
                stream.lock().take().ok_or_else(|| {
                    io::Error::new(io::ErrorKind::NotConnected, "the connection was used").into()
                })
            },
            properties(target),
        )
        .await;
        Ok(Self {
            connection: connection.map_err(|error| refusal(target, address, &error))?,
            socket,
            address: address.to_owned(),
        })
    }

    pub(super) fn is_up(&self) -> bool {
        self.connection.status().connected()
    }

    /// Whether the broker, short of memory or disk, takes no messages.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    pub(super) async fn channel(&self) -> Result<Channel, PubSubError> {
        let channel = self.connection.create_channel().await;
        channel.map_err(|error| pubsub_error("opening a channel", &error))
    }

    /// Says goodbye, and ends the connection if that is not heard. Outside of a runtime the broker finds out by itself.
    fn close(self: Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else {
            return self.socket.shut();
        };
        runtime.spawn(async move {
            let goodbye = self.connection.close(200, "OK".into());
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await;
            self.socket.shut();
        });
    }
}

/// A second handle of the connection's socket; dropped, it ends the connection and with it the client's thread.
struct Socket(TcpStream);

impl Socket {
    fn of(stream: &tokio::net::TcpStream) -> io::Result<Self> {
        Ok(Self(stream.as_fd().try_clone_to_owned()?.into()))
    }

    fn shut(&self) {
        // Fails when it is shut already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.shut();
    }
}

fn properties(target: &Target) -> ConnectionProperties {
    let properties = ConnectionProperties::default();
    match &target.client_name {
        Some(name) => properties.with_connection_name(name.as_str().into()),
        None => properties,
    }
}

/// How rustls names the alert by which a server asks for a client certificate (RFC 8446, section 6.2). It comes after
/// the handshake of TLS 1.3, with the first thing that is read.
const CERTIFICATE_REQUIRED: &str = "CertificateRequired";

/// Why the broker does not let this client in.
fn refusal(target: &Target, address: &str, error: &lapin::Error) -> String {
    let user = &target.uri.authority.userinfo.username;
    let code = match error.kind() {
        ErrorKind::ProtocolError(refusal) => refusal.get_id(),
        _ => 0,
    };
    match code {
        403 => format!(
            "RabbitMQ at {address} does not let user \"{user}\" in: check `username` and `password` \
             (`guest` may come from the broker's own machine only)"
        ),
        530 => format!(
            "RabbitMQ at {address} has no virtual host \"{}\" for user \"{user}\": create it with \
             `rabbitmqctl add_vhost` and `rabbitmqctl set_permissions`",
            target.uri.vhost
        ),
        _ if error.to_string().contains(CERTIFICATE_REQUIRED) => format!(
            "RabbitMQ at {address} asks for a client certificate: set `clientCert` and `clientKey`"
        ),
        _ => format!(
            "RabbitMQ at {address} breaks off the handshake: {error}; check that the port speaks AMQP 0-9-1, \
             with TLS for `amqps` only"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let longest = Duration::from_secs(3);
        let millis = |failures, jitter| pause(failures, longest, jitter).as_millis();
        assert_eq!(
            [1, 2, 3, 6, u32::MAX].map(|n| millis(n, 0.0)),
            [100, 200, 400, 3000, 3000]
        );
        assert_eq!(millis(2, 1.0), 100);
    }
}
