//! Doors for native clients: the ingress and the admin API.
//!
//! - [`ingress`]: requests from the outside to the apps, by host and path.

pub mod ingress;
mod reply;
