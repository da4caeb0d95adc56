//! Calls that other hosts send.
//!
//! ```text
//! accept ──▶ handshake (bounded in number and time) ──▶ connection of one caller and one app ──▶ Gate ──▶ the app
//!               └ refused, counted                          └ floods, silence, end of the certificate: closed
//! ```

mod connection;
mod handshake;
mod limits;
mod listener;
mod refused;
mod request;
mod shares;

pub use limits::ServerLimits;
pub use listener::{MeshListener, ServingMesh};
