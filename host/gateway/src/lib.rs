//! Doors for native clients: the ingress, Dapr's HTTP API and the admin API.
//!
//! - [`ingress`]: requests from the outside to the apps, by host and path.
//! - [`dapr_http`]: the building blocks for native programs, as Dapr's SDKs ask for them.
//! - [`admin`]: what the CLI asks a running host, on loopback, behind a token.

pub mod admin;
pub mod dapr_http;
mod headers;
pub mod ingress;
mod reply;
mod server;
mod token;
