//! Name resolution: which hosts have an app. What is announced and asked is keyed by namespace and app ID, so that two
//! tenants' apps of one name stay apart.

use crate::invocation::Target;
use async_trait::async_trait;
use std::{net::SocketAddr, time::Duration};

/// Why a resolver gave no answer. That an app has no host is an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ResolveError(pub String);

/// What a host tells others about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Identity of this run of the host: an announcement replaces the one before.
    pub host: String,
    /// Where it listens for other hosts.
    pub address: SocketAddr,
    /// The apps that it has.
    pub apps: Vec<Target>,
}

/// Finds the hosts of apps. One attempt per call: caching, last known good answers and the repetition of announcements
/// are the caller's.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// Addresses of the hosts that have the app, this one included; none if nobody has it.
    ///
    /// # Errors
    /// The registry does not answer.
    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, ResolveError>;

    /// How often an announcement must be repeated; `None`: this resolver takes none.
    fn heartbeat(&self) -> Option<Duration> {
        None
    }

    /// Tells others which apps this host has. Forgotten after a few heartbeats without another one.
    ///
    /// # Errors
    /// The registry does not answer.
    async fn announce(&self, _own: &Announcement) -> Result<(), ResolveError> {
        Ok(())
    }

    /// Takes the announcement back: the host is about to stop.
    ///
    /// # Errors
    /// The registry does not answer.
    async fn withdraw(&self, _host: &str) -> Result<(), ResolveError> {
        Ok(())
    }
}
