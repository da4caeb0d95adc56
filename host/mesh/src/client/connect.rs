//! Making a connection whose other end is surely the app that was meant, and which it has surely accepted.

use super::{failure::AttemptError, limits::ClientLimits};
use crate::{
    certificates::{ClientKey, Keys},
    identity::{Leaf, server_name},
    security::Security,
    tls::{PeerError, refusal, told_by_peer},
};
use berth_blocks::invocation::{Body, Target};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use std::{io, net::SocketAddr, sync::Arc, time::SystemTime};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// What one answer's body may have under way before the app reads it, in bytes.
const STREAM_WINDOW: u32 = 256 << 10;
/// The same for all requests of a connection: apps that read slowly must not stop the others.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Room for the first bytes of the other side; longer reads go past it.
const FIRST_BYTES: usize = 64;

/// A connection that was just made.
pub(super) struct Connected {
    pub send: SendRequest<Body>,
    /// What we have shown; `None` without TLS.
    pub shown: Option<Arc<ClientKey>>,
    /// When the first of both certificates ends.
    pub not_after: Option<SystemTime>,
}

/// Connects a calling app to an app on a host.
pub(super) async fn connect(
    address: SocketAddr,
    caller: &Target,
    target: &Target,
    security: &Security,
    limits: &ClientLimits,
) -> Result<Connected, AttemptError> {
    security.permit(address)?;
    let stream = match timeout(limits.connect_timeout, TcpStream::connect(address)).await {
        Ok(stream) => stream.map_err(AttemptError::Connect)?,
        Err(_) => return Err(AttemptError::ConnectTimeout),
    };
    // Requests are written whole: waiting for more would only add delay.
    let _ = stream.set_nodelay(true);
    let handshake = async {
        match security {
            Security::Plain => Ok(Connected {
                send: speak(stream, limits).await?,
                shown: None,
                not_after: None,
            }),
            Security::Mutual(keyring) => {
                let keys = keyring.keys().clone();
                mutual(stream, &keys, caller, target, limits).await
            }
        }
    };
    let connected = timeout(limits.handshake_timeout, handshake).await;
    connected.unwrap_or(Err(AttemptError::HandshakeTimeout))
}

async fn mutual(
    stream: TcpStream,
    keys: &Keys,
    caller: &Target,
    target: &Target,
    limits: &ClientLimits,
) -> Result<Connected, AttemptError> {
    let shown = keys.client(caller).ok_or(AttemptError::NoCertificate)?;
    let connector = TlsConnector::from(shown.config.clone());
    let name = ServerName::DnsName(server_name(target));
    let stream = connector.connect(name, stream).await.map_err(handshake)?;
    let (_, connection) = stream.get_ref();
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    let leaf = certificate.ok_or(PeerError::Absent).and_then(Leaf::read);
    let leaf = leaf.map_err(AttemptError::Peer)?;
    if leaf.id.workload != *target {
        return Err(AttemptError::Peer(PeerError::Identity { found: leaf.id }));
    }
    Ok(Connected {
        send: speak(stream, limits).await?,
        shown: Some(shown.clone()),
        not_after: Some(leaf.not_after.min(shown.leaf.not_after)),
    })
}

/// Waits for the first bytes of the other side before anything is sent. In TLS 1.3 the server looks at our certificate
/// after we are done: a request that is sent at once may be lost to a refusal, and nobody could tell whether it was
/// executed. A server that speaks HTTP/2 sends its settings as soon as it accepts us.
async fn speak<S>(stream: S, limits: &ClientLimits) -> Result<SendRequest<Body>, AttemptError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut stream = BufReader::with_capacity(FIRST_BYTES, stream);
    if stream.fill_buf().await.map_err(handshake)?.is_empty() {
        return Err(AttemptError::Handshake(io::ErrorKind::UnexpectedEof.into()));
    }
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(limits.probe_interval)
        .keep_alive_timeout(limits.probe_interval);
    let made = builder.handshake(TokioIo::new(stream)).await;
    let (send, connection) =
        made.map_err(|error| AttemptError::Handshake(io::Error::other(error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            // The requests on it get errors of their own.
            tracing::debug!(%error, "a connection to another host ended");
        }
    });
    Ok(send)
}

fn handshake(error: io::Error) -> AttemptError {
    if let Some(peer) = refusal(&error) {
        return AttemptError::Peer(peer);
    }
    match told_by_peer(&error) {
        Some(told) => AttemptError::RefusedByPeer(told),
        None => AttemptError::Handshake(error),
    }
}
