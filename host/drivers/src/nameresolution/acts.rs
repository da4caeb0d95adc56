//! What tests of registries do.

use berth_blocks::{
    invocation::Target,
    resolution::{Announcement, Resolver},
};
use std::net::SocketAddr;

pub(super) fn app(namespace: &str, app: &str) -> Target {
    Target {
        namespace: namespace.parse().unwrap(),
        app: app.parse().unwrap(),
    }
}

pub(super) fn announcement(host: &str, port: u16, apps: &[Target]) -> Announcement {
    Announcement {
        host: host.to_owned(),
        address: ([127, 0, 0, 1], port).into(),
        apps: apps.to_vec(),
    }
}

/// The ports of the hosts that have an app, in their order.
pub(super) async fn ports(resolver: &dyn Resolver, target: &Target) -> Vec<u16> {
    let hosts = resolver.resolve(target).await.unwrap();
    let mut ports: Vec<_> = hosts.iter().map(SocketAddr::port).collect();
    ports.sort_unstable();
    ports
}
