//! The ingress: HTTP/1.1 and HTTP/2 (prior knowledge) from the outside to the apps.
//!
//! ```text
//! accept ──▶ connection task ──▶ route table ──▶ headers ──▶ runtime ──▶ guest
//!                  └── one task drives socket, guest and body: no channel, no hand-over between threads
//! ```

mod listener;
mod path;
mod request;
mod routes;

pub use listener::{Ingress, IngressOptions, ServingIngress};
pub use request::Answer;
pub use routes::{ExposedApp, RouteConflict, RouteTable};

#[cfg(test)]
mod tests;
