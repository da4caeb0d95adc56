//! TLS 1.3 between hosts, in which both sides show an app's certificate.

mod config;
mod peer_error;
mod verify;

pub(crate) use config::{WorkloadKey, client_config, server_config};
pub use peer_error::PeerError;
pub(crate) use peer_error::{refusal, told_by_peer};
