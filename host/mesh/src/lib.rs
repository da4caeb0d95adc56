//! Calls between hosts.
//!
//! ```text
//! Blocks ──▶ Router ──▶ Gate ──▶ an app of this host
//!              │          ▲
//!              │     MeshListener ◀── HTTP/2, TLS 1.3, both sides show an app's certificate ◀── Mesh of another host
//!              ├──▶ Mesh: resolver ──▶ balancer ──▶ pool ──▶ host ──▶ …
//!              └──▶ HttpEndpoints: a service outside, under an app ID
//! ```
//!
//! Identities are the apps' ([`SpiffeId`]), never the hosts'. Certificates come from a [`CertificateSource`] into a
//! [`Keyring`]. Who may call what is decided by one [`Gate`], for calls within the host as well. Nothing here retries
//! what an app may have seen: see [`CallFailure::delivery`].

mod access;
mod announcer;
mod body;
mod certificates;
mod client;
mod endpoints;
mod headers;
mod identity;
mod refusal;
mod router;
mod security;
mod server;
mod tls;

pub use access::{AccessRules, Gate, access_rules};
pub use announcer::Announcer;
pub use certificates::{
    CaOptions, CaSummary, CertificateDirectory, CertificateError, CertificateSource, DevelopmentCa,
    IssuedCertificate, Keyring, Material, Watch, WorkloadMaterial,
};
pub use client::{Attempt, AttemptError, CallFailure, Cause, ClientLimits, Delivery, Mesh};
pub use endpoints::HttpEndpoints;
pub use identity::{InvalidIdentity, SpiffeId, TrustDomain};
pub use router::Router;
pub use security::{PlainBeyondLoopback, Security};
pub use server::{MeshListener, ServerLimits, ServingMesh};
pub use tls::PeerError;
