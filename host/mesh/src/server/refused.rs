//! What was refused, and why: the counter, and how an error becomes one of its labels.

use crate::tls::{refusal, told_by_peer};
use std::{error::Error, io};

/// Counts a connection or handshake that was refused or ended for the peer's fault.
pub(super) fn count(reason: &'static str) {
    metrics::counter!("berth_mesh_refused_total", "reason" => reason).increment(1);
}

/// Why a handshake failed.
pub(super) fn of_handshake(error: &io::Error) -> &'static str {
    if let Some(peer) = refusal(error) {
        return peer.reason();
    }
    if told_by_peer(error).is_some() {
        return "refused_by_peer";
    }
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(rustls::Error::InvalidMessage(_)) => "not_tls",
        Some(rustls::Error::PeerIncompatible(_)) => "tls_version",
        Some(rustls::Error::NoApplicationProtocol) => "not_http2",
        Some(rustls::Error::General(_)) => "unknown_app",
        Some(_) => "tls",
        None => "connection_lost",
    }
}

/// Why a connection ended, if that is worth counting: a peer that just goes away is not.
pub(super) fn of_connection(error: &hyper::Error) -> Option<&'static str> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(error) = inner.downcast_ref::<h2::Error>() {
            return of_http2(error);
        }
        source = inner.source();
    }
    None
}

fn of_http2(error: &h2::Error) -> Option<&'static str> {
    if error.is_io() || error.is_remote() {
        return None;
    }
    Some(match error.reason() {
        Some(h2::Reason::ENHANCE_YOUR_CALM) => "http2_flood",
        Some(h2::Reason::NO_ERROR) => return None,
        _ => "http2_protocol",
    })
}
