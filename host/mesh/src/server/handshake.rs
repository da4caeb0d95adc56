//! From a bare connection to one whose both ends are known.

use super::{limits::ServerLimits, refused};
use crate::{
    identity::{Leaf, SpiffeId},
    security::Security,
};
use berth_blocks::invocation::Target;
use rustls::ServerConnection;
use std::{io, sync::Arc, time::SystemTime};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// A connection whose ends are known.
pub(super) enum Accepted {
    /// By certificates.
    Mutual {
        stream: Box<TlsStream<TcpStream>>,
        ends: Ends,
    },
    /// Not at all: each request says it.
    Plain(TcpStream),
}

impl Accepted {
    /// Who calls, if that is proved.
    pub fn caller(&self) -> Option<&Target> {
        match self {
            Self::Mutual { ends, .. } => Some(&ends.caller.workload),
            Self::Plain(_) => None,
        }
    }
}

/// Both ends of a connection.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    /// Who calls.
    pub caller: SpiffeId,
    /// The app that was asked for.
    pub callee: Target,
    /// When the caller's certificate ends.
    pub not_after: SystemTime,
}

/// Completes the handshake, or counts why not.
pub(super) async fn accept(
    stream: TcpStream,
    security: &Security,
    limits: &ServerLimits,
) -> Option<Accepted> {
    // Answers are written whole: waiting for more would only add delay.
    let _ = stream.set_nodelay(true);
    let Security::Mutual(keyring) = security else {
        return Some(Accepted::Plain(stream));
    };
    let keys = keyring.keys().clone();
    let acceptor = TlsAcceptor::from(keys.server.clone());
    let handshake = tokio::time::timeout(limits.handshake_timeout, acceptor.accept(stream));
    let stream = match handshake.await {
        Ok(Ok(stream)) => Box::new(stream),
        Ok(Err(error)) => {
            let reason = refused::of_handshake(&error);
            refused::count(reason);
            tracing::debug!(%error, reason, "a handshake of another host failed");
            return None;
        }
        Err(_) => {
            refused::count("handshake_timeout");
            return None;
        }
    };
    let (_, connection) = stream.get_ref();
    let ends = ends(connection, |name| keys.named(name).cloned());
    match ends {
        Ok(ends) => Some(Accepted::Mutual { stream, ends }),
        Err(error) => {
            // The verifier has let it pass, so this is ours.
            tracing::warn!(%error, "a caller's certificate");
            refused::count("tls");
            None
        }
    }
}

fn ends(
    connection: &ServerConnection,
    named: impl FnOnce(&str) -> Option<Target>,
) -> io::Result<Ends> {
    let certificates = connection.peer_certificates().unwrap_or_default();
    let certificate = certificates
        .first()
        .ok_or_else(|| io::Error::other("there is none"))?;
    let leaf = Leaf::read(certificate).map_err(|error| io::Error::other(Arc::new(error)))?;
    let callee = connection
        .server_name()
        .and_then(named)
        .ok_or_else(|| io::Error::other("it asked for no app of this host"))?;
    Ok(Ends {
        caller: leaf.id,
        callee,
        not_after: leaf.not_after,
    })
}
