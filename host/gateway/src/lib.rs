//! Doors for native clients: the ingress and the admin API.
//!
//! - [`ingress`]: requests from the outside to the apps, by host and path.
//! - [`admin`]: what the CLI asks a running host, on loopback, behind a token.

pub mod admin;
mod headers;
pub mod ingress;
mod reply;
mod server;
mod token;
