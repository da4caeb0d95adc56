//! `static`: the hosts stand in the document.

use async_trait::async_trait;
use berth_blocks::{
    invocation::Target,
    registry::{OpenContext, OpenError},
    resolution::{ResolveError, Resolver},
};
use berth_resources::StaticApp;
use serde::Deserialize;
use std::{collections::HashMap, net::SocketAddr};

/// Nothing besides `apps`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {}

/// Addresses by app.
pub(super) struct Fixed(HashMap<Target, Vec<SocketAddr>>);

pub(super) fn open(
    _context: OpenContext,
    _settings: Settings,
    apps: Vec<StaticApp>,
) -> Result<Fixed, OpenError> {
    let apps = apps.into_iter().map(|entry| {
        let target = Target {
            namespace: entry.namespace,
            app: entry.app,
        };
        (target, entry.hosts)
    });
    Ok(Fixed(apps.collect()))
}

#[async_trait]
impl Resolver for Fixed {
    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, ResolveError> {
        Ok(self.0.get(target).cloned().unwrap_or_default())
    }
}
