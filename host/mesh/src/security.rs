//! How hosts trust each other.

use crate::certificates::Keyring;
use std::{net::SocketAddr, sync::Arc};

/// How hosts trust each other.
#[derive(Clone)]
pub enum Security {
    /// Mutual TLS with an identity per app.
    Mutual(Arc<Keyring>),
    /// No TLS, and callers are who they claim to be. Only between processes of one machine: other addresses than
    /// loopback ones are refused on both sides.
    Plain,
}

/// Plain text was asked for beyond this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not a loopback address: calls in plain text stay on one machine; use certificates, or an address such as 127.0.0.1"
)]
pub struct PlainBeyondLoopback(pub SocketAddr);

impl Security {
    /// Whether an address may be used.
    ///
    /// # Errors
    /// Plain text beyond loopback.
    pub fn permit(&self, address: SocketAddr) -> Result<(), PlainBeyondLoopback> {
        match self {
            Self::Plain if !address.ip().to_canonical().is_loopback() => {
                Err(PlainBeyondLoopback(address))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_on_this_machine() {
        for address in [
            "127.0.0.1:1",
            "[::1]:1",
            "127.8.0.1:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert_eq!(Security::Plain.permit(address.parse().unwrap()), Ok(()));
        }
        for address in ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[::ffff:10.0.0.1]:1"] {
            let address = address.parse().unwrap();
            assert_eq!(
                Security::Plain.permit(address),
                Err(PlainBeyondLoopback(address))
            );
        }
    }
}
