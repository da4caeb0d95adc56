//! One Redis, shared by every driver that keeps something in it.
//!
//! ```text
//! call ──▶ link: one multiplexed connection per identity ──▶ node, master that Sentinel names, or Cluster
//! blocking read ──▶ a connection of its own, see [`Dedicated`]
//! ```
//!
//! Equal metadata means one [`Redis`] per host, found through the registry's shared connections: the commands of all
//! callers travel together. A link that breaks is restored with backoff and jitter; until then calls fail at once
//! with what went wrong. A call is sent once (a Cluster's client sends it again where a node redirects or hangs up).

mod cluster;
mod error;
mod link;
mod metadata;
mod node;
mod sentinel;
mod settings;
#[cfg(test)]
mod tests;
mod tls;

pub(crate) use error::{Failure, Fault};
pub(crate) use metadata::{ConnectionMetadata, Interval, RedisType, redis_metadata};
pub(crate) use node::Dedicated;
pub(crate) use settings::Settings;

use berth_blocks::registry::{OpenContext, OpenError};
use cluster::ClusterLink;
use link::NodeLink;
use redis::{Cmd, Pipeline, Value};
use std::{convert::Infallible, sync::Arc};

/// A Redis that several backends share. Dropped: every connection and task of it ends.
#[derive(Debug)]
pub(crate) struct Redis {
    settings: Arc<Settings>,
    link: Link,
}

#[derive(Debug)]
enum Link {
    /// One server, or the master that Sentinel names.
    Node(NodeLink),
    /// Many servers, by slot.
    Cluster(ClusterLink),
}

impl Redis {
    /// The Redis of these settings, connected if no other backend of this host uses it yet.
    ///
    /// # Errors
    /// It cannot be reached or refuses: the text says which, and what to do.
    pub(crate) async fn shared(
        context: &OpenContext,
        settings: Settings,
    ) -> Result<Arc<Self>, OpenError> {
        Ok(Self::connected(context, settings).await?)
    }

    /// [`shared`](Self::shared) for connections that are made later.
    ///
    /// # Errors
    /// Those of [`shared`](Self::shared).
    pub(crate) async fn connected(
        context: &OpenContext,
        settings: Settings,
    ) -> Result<Arc<Self>, Failure> {
        let identity = settings.identity();
        let shared = context
            .connections
            .shared(&identity, || Ok::<_, Infallible>(Self::new(settings)));
        let redis = shared.unwrap_or_else(|never| match never {});
        redis.ready().await?;
        Ok(redis)
    }

    fn new(settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let link = if settings.is_cluster() {
            Link::Cluster(ClusterLink::new(settings.clone()))
        } else {
            Link::Node(NodeLink::start(settings.clone()))
        };
        Self { settings, link }
    }

    /// Waits for the first attempt to connect.
    async fn ready(&self) -> Result<(), Failure> {
        match &self.link {
            Link::Node(link) => link.ready().await,
            Link::Cluster(link) => link.ready().await,
        }
    }

    /// What it was opened with.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether keys lie on several servers: a pipeline or a script can then only touch keys of one slot.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.link, Link::Cluster(_))
    }

    /// Whether one server holds all of these keys, whatever becomes of the Cluster: they are of one slot.
    pub(crate) fn keeps_together<'k>(&self, mut keys: impl Iterator<Item = &'k str>) -> bool {
        if !self.is_cluster() {
            return true;
        }
        let Some(first) = keys.next() else {
            return true;
        };
        let first = cluster::slot(first.as_bytes());
        keys.all(|key| cluster::slot(key.as_bytes()) == first)
    }

    /// Replicas that the master had when it was last looked at; of a Cluster, those of its best replicated slots.
    pub(crate) fn replicas(&self) -> usize {
        match &self.link {
            Link::Node(link) => link.replicas(),
            Link::Cluster(link) => link.replicas(),
        }
    }

    /// Sends one command on the shared connection, so none that blocks. Convert the answer with
    /// [`redis::from_redis_value`] or take it apart.
    ///
    /// # Errors
    /// What went wrong, the server's own errors included.
    pub(crate) async fn call(&self, command: &Cmd) -> Result<Value, Failure> {
        match &self.link {
            Link::Node(link) => link.call(command).await,
            // Its future is large, and would be part of that of every call.
            Link::Cluster(link) => Box::pin(link.call(command)).await,
        }
    }

    /// Sends commands in one go, to the server that holds `key`; one answer each, in order. An answer may be
    /// [`Value::ServerError`]: see [`answer`](Self::answer). For `MULTI`/`EXEC` (`Pipeline::atomic`) the single answer
    /// is the array of `EXEC`.
    ///
    /// # Errors
    /// What went wrong with all of them.
    pub(crate) async fn pipeline(
        &self,
        key: &[u8],
        commands: &Pipeline,
    ) -> Result<Vec<Value>, Failure> {
        match &self.link {
            Link::Node(link) => link.pipeline(commands).await,
            Link::Cluster(link) => Box::pin(link.pipeline(key, commands)).await,
        }
    }

    /// One answer of a pipeline, the server's error told apart.
    ///
    /// # Errors
    /// The server's.
    pub(crate) fn answer(&self, value: Value) -> Result<Value, Failure> {
        value
            .extract_error()
            .map_err(|error| Failure::of(&self.settings.location(), &error))
    }

    /// A connection of its own, for commands that block: to the server that holds `key`, which is looked up anew.
    /// After any failure of it make another one.
    ///
    /// # Errors
    /// The server cannot be found, reached or refuses.
    pub(crate) async fn dedicated(&self, key: &[u8]) -> Result<Dedicated, Failure> {
        match &self.link {
            Link::Node(_) => node::dedicated(&self.settings).await,
            Link::Cluster(link) => link.dedicated(key).await,
        }
    }

    /// Addresses of the servers that hold keys, each with an identity that stays: for what is asked of every server.
    ///
    /// # Errors
    /// A Cluster that does not say.
    pub(crate) async fn masters(&self) -> Result<Vec<Master>, Failure> {
        match &self.link {
            Link::Node(_) => Ok(vec![Master::only()]),
            Link::Cluster(link) => link.masters().await,
        }
    }

    /// Sends commands in one go to one of the [`masters`](Self::masters).
    ///
    /// # Errors
    /// What went wrong with all of them.
    pub(crate) async fn pipeline_on(
        &self,
        master: &Master,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, Failure> {
        match &self.link {
            Link::Node(link) => link.pipeline(commands).await,
            Link::Cluster(link) => link.pipeline_on(master, commands).await,
        }
    }
}

/// A server that holds keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Master {
    /// Node ID in a Cluster; empty where there is only one.
    pub(crate) id: String,
    address: settings::Address,
    replicas: usize,
}

impl Master {
    fn only() -> Self {
        Self {
            id: String::new(),
            address: settings::Address::default(),
            replicas: 0,
        }
    }
}
