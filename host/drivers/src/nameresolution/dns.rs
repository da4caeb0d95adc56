//! `dns`: the hosts of an app are the addresses of a name, such as that of a headless service of Kubernetes, or the
//! targets of its SRV records.
//!
//! Answers are kept as long as their time to live says, at most 30 s, so that hosts which come and go are seen.

use async_trait::async_trait;
use berth_blocks::{
    invocation::Target,
    registry::{OpenContext, OpenError},
    resolution::{ResolveError, Resolver},
};
use berth_resources::StaticApp;
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::RData,
};
use serde::Deserialize;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// What a headless service has, by default.
const TEMPLATE: &str = "{app}.{namespace}.svc.cluster.local";
/// berth's default port for other hosts.
const PORT: u16 = 50002;
/// Longest that an answer is kept, and that an unknown name is.
const TTL_MAX: Duration = Duration::from_secs(30);
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(5);
/// Time of one question to one server, and how often it is asked.
const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// Targets of SRV records that are looked up.
const TARGETS_MAX: usize = 64;

/// Settings of `dns`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Settings {
    /// The name of an app, with `{app}` and `{namespace}`; default `{app}.{namespace}.svc.cluster.local`.
    #[serde(default)]
    template: Option<String>,
    /// `address` (A and AAAA, the default) or `srv`, which bring ports of their own.
    #[serde(default)]
    records: Records,
    /// Port of the hosts, for `address`; default `50002`.
    #[serde(default)]
    port: Option<u16>,
    /// Servers to ask, `address` or `address:port` with commas; default: those of the system.
    #[serde(default)]
    servers: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Records {
    #[default]
    Address,
    Srv,
}

/// An open resolver.
pub(super) struct Dns {
    resolver: TokioResolver,
    template: String,
    records: Records,
    port: u16,
}

pub(super) fn open(
    _context: OpenContext,
    settings: Settings,
    _apps: Vec<StaticApp>,
) -> Result<Dns, OpenError> {
    let template = settings.template.unwrap_or_else(|| TEMPLATE.to_owned());
    if !template.contains("{app}") || !template.contains("{namespace}") {
        return Err(OpenError::Metadata {
            field: "template".to_owned(),
            // Without the namespace, apps of two tenants would share a name.
            message: "expected a name with `{app}` and `{namespace}`".to_owned(),
        });
    }
    Ok(Dns {
        resolver: resolver(settings.servers.as_deref())?,
        template,
        records: settings.records,
        port: settings.port.unwrap_or(PORT),
    })
}

fn resolver(servers: Option<&str>) -> Result<TokioResolver, OpenError> {
    let backend = |error: NetError| OpenError::Backend(format!("settings of DNS: {error}"));
    let mut builder = match servers {
        None => TokioResolver::builder_tokio().map_err(backend)?,
        Some(text) => {
            let servers: Result<Vec<_>, _> = text.split(',').map(server).collect();
            let config = ResolverConfig::from_name_servers(servers?);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.timeout = TIMEOUT;
    options.attempts = ATTEMPTS;
    options.positive_max_ttl = Some(TTL_MAX);
    options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
    builder.build().map_err(backend)
}

fn server(text: &str) -> Result<NameServerConfig, OpenError> {
    let text = text.trim();
    let address = text
        .parse::<SocketAddr>()
        .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)));
    let address = address.map_err(|_| OpenError::Metadata {
        field: "servers".to_owned(),
        message: format!("expected addresses such as `10.0.0.10:53`, found `{text}`"),
    })?;
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    Ok(NameServerConfig::new(
        address.ip(),
        true,
        connections.to_vec(),
    ))
}

impl Dns {
    /// A full name: search lists of the system do not apply.
    fn name(&self, target: &Target) -> String {
        let name = self
            .template
            .replace("{app}", target.app.as_str())
            .replace("{namespace}", target.namespace.as_str());
        format!("{}.", name.trim_end_matches('.'))
    }

    async fn addresses(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        match self.resolver.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().map(|ip| SocketAddr::new(ip, port)).collect()),
            Err(error) => nothing(name, &error),
        }
    }

    async fn targets(&self, name: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let found = match self.resolver.srv_lookup(name).await {
            Ok(found) => found,
            Err(error) => return nothing(name, &error),
        };
        let mut addresses = Vec::new();
        for record in found.answers().iter().take(TARGETS_MAX) {
            if let RData::SRV(service) = &record.data {
                let target = service.target.to_string();
                addresses.extend(self.addresses(&target, service.port).await?);
            }
        }
        Ok(addresses)
    }
}

/// A name that does not exist has no hosts; anything else is a failure.
fn nothing(name: &str, error: &NetError) -> Result<Vec<SocketAddr>, ResolveError> {
    if error.is_no_records_found() {
        return Ok(Vec::new());
    }
    Err(ResolveError(format!("DNS name `{name}`: {error}")))
}

#[async_trait]
impl Resolver for Dns {
    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, ResolveError> {
        let name = self.name(target);
        match self.records {
            Records::Address => self.addresses(&name, self.port).await,
            Records::Srv => self.targets(&name).await,
        }
    }
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
