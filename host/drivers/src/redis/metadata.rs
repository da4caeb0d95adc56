//! Metadata that every Redis component has, in the names and with the defaults of Dapr.

use super::{
    settings::{Address, Backoff, Login, Settings, Topology, fingerprint},
    tls::Tls,
};
use berth_blocks::registry::{
    OpenError,
    metadata::{Confidential, duration},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// Declares a metadata struct with the fields of every Redis component and the given ones, which must carry serde's
/// attributes themselves. `connection(&self)` gives the common ones.
macro_rules! redis_metadata {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($own:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        $vis struct $name {
            /// Address, `host:port`; the port defaults to `redisPort`. Several with commas: nodes of a Cluster, or
            /// sentinels.
            redis_host: String,
            /// Port of the addresses that name none; default `6379`.
            #[serde(default)]
            redis_port: Option<u16>,
            /// Password.
            #[serde(default)]
            redis_password: Option<berth_blocks::registry::metadata::Confidential>,
            /// User; default: the server's default user.
            #[serde(default)]
            redis_username: Option<String>,
            /// `node` (default) or `cluster`.
            #[serde(default)]
            redis_type: $crate::redis::RedisType,
            /// Number of the database, default `0`. A Cluster has no other.
            #[serde(default, rename = "redisDB")]
            redis_db: i64,
            /// Connect by TLS; default `false`.
            #[serde(default, rename = "enableTLS")]
            enable_tls: bool,
            /// With `enableTLS`: trust any certificate of the server; default `false`. For tests only.
            #[serde(default, rename = "insecureSkipTLSVerify")]
            insecure_skip_tls_verify: bool,
            /// With `enableTLS`: certificates (PEM) of the authorities to trust, instead of the system's. Not known to
            /// Dapr.
            #[serde(default)]
            ca_cert: Option<String>,
            /// With `enableTLS`: certificate (PEM) of this client.
            #[serde(default)]
            client_cert: Option<String>,
            /// With `clientCert`: its private key (PEM).
            #[serde(default)]
            client_key: Option<berth_blocks::registry::metadata::Confidential>,
            /// Find the master through Sentinel and follow it; `redisHost` names the sentinels. Default `false`.
            #[serde(default)]
            failover: bool,
            /// With `failover`: the name of the master.
            #[serde(default)]
            sentinel_master_name: Option<String>,
            /// With `failover`: user at the sentinels.
            #[serde(default)]
            sentinel_username: Option<String>,
            /// With `failover`: password at the sentinels.
            #[serde(default)]
            sentinel_password: Option<berth_blocks::registry::metadata::Confidential>,
            /// In a Cluster: how often a call follows a node that redirects it or fails; default `3`, `-1` for never.
            /// Otherwise a call is made once, and a resiliency policy repeats it.
            #[serde(default)]
            redis_max_retries: Option<i64>,
            /// Wait before a broken connection is made again, doubled with each attempt; default `8ms`.
            #[serde(default)]
            redis_min_retry_interval: Option<$crate::redis::Interval>,
            /// The longest of these waits; default `512ms`.
            #[serde(default)]
            redis_max_retry_interval: Option<$crate::redis::Interval>,
            /// The longest that connecting may take, login included; default `5s`.
            #[serde(default)]
            dial_timeout: Option<$crate::redis::Interval>,
            /// The longest that a call may take; default `3s`, `-1` for no bound.
            #[serde(default)]
            read_timeout: Option<$crate::redis::Interval>,
            /// No effect: `readTimeout` bounds the whole call.
            #[serde(default)]
            write_timeout: Option<$crate::redis::Interval>,
            /// No effect: all calls share one connection.
            #[serde(default)]
            pool_size: Option<i64>,
            /// No effect: all calls share one connection.
            #[serde(default)]
            min_idle_conns: Option<i64>,
            /// No effect: all calls share one connection.
            #[serde(default)]
            pool_timeout: Option<$crate::redis::Interval>,
            /// No effect: a connection is kept as long as it works.
            #[serde(default)]
            max_conn_age: Option<$crate::redis::Interval>,
            /// No effect: a connection is kept as long as it works.
            #[serde(default)]
            idle_timeout: Option<$crate::redis::Interval>,
            /// No effect: a connection is looked at every 30 seconds.
            #[serde(default)]
            idle_check_frequency: Option<$crate::redis::Interval>,
            /// Not served: `true` is refused, set `redisPassword`.
            #[serde(default, rename = "useEntraID", alias = "useAzureAD")]
            use_entra_id: bool,
            /// Not served: `true` is refused, set `redisPassword`.
            #[serde(default, rename = "useOIDC")]
            use_oidc: bool,
            $($own)*
        }

        impl $name {
            /// What every Redis component has.
            fn connection(&self) -> $crate::redis::ConnectionMetadata<'_> {
                // Accepted, as Dapr's documents have them.
                let _without_effect = (
                    &self.write_timeout, &self.pool_size, &self.min_idle_conns, &self.pool_timeout,
                    &self.max_conn_age, &self.idle_timeout, &self.idle_check_frequency,
                );
                $crate::redis::ConnectionMetadata {
                    redis_host: &self.redis_host,
                    redis_port: self.redis_port,
                    redis_password: self.redis_password.as_ref(),
                    redis_username: self.redis_username.as_deref(),
                    redis_type: self.redis_type,
                    redis_db: self.redis_db,
                    enable_tls: self.enable_tls,
                    insecure_skip_tls_verify: self.insecure_skip_tls_verify,
                    ca_cert: self.ca_cert.as_deref(),
                    client_cert: self.client_cert.as_deref(),
                    client_key: self.client_key.as_ref(),
                    failover: self.failover,
                    sentinel_master_name: self.sentinel_master_name.as_deref(),
                    sentinel_username: self.sentinel_username.as_deref(),
                    sentinel_password: self.sentinel_password.as_ref(),
                    redis_max_retries: self.redis_max_retries,
                    redis_min_retry_interval: self.redis_min_retry_interval,
                    redis_max_retry_interval: self.redis_max_retry_interval,
                    dial_timeout: self.dial_timeout,
                    read_timeout: self.read_timeout,
                    use_entra_id: self.use_entra_id,
                    use_oidc: self.use_oidc,
                }
            }
        }
    };
}
pub(crate) use redis_metadata;

/// `redisType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RedisType {
    /// One server, or a master and its replicas.
    #[default]
    Node,
    /// Redis Cluster.
    Cluster,
}

/// A duration as Dapr's Redis components read it: a bare number counts milliseconds, `0` means the default, `-1` none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    Default,
    Never,
    Of(Duration),
}

impl Interval {
    fn or(self, default: Duration) -> Option<Duration> {
        match self {
            Self::Default => Some(default),
            Self::Never => None,
            Self::Of(duration) => Some(duration),
        }
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().starts_with("-1") {
            return Ok(Self::Never);
        }
        let read = duration(&text, Duration::from_millis(1)).map_err(serde::de::Error::custom)?;
        Ok(if read.is_zero() {
            Self::Default
        } else {
            Self::Of(read)
        })
    }
}

impl JsonSchema for Interval {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Interval".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "duration" })
    }
}

/// The common fields of a metadata struct that [`redis_metadata`] declares.
#[derive(Debug)]
pub(crate) struct ConnectionMetadata<'m> {
    pub(crate) redis_host: &'m str,
    pub(crate) redis_port: Option<u16>,
    pub(crate) redis_password: Option<&'m Confidential>,
    pub(crate) redis_username: Option<&'m str>,
    pub(crate) redis_type: RedisType,
    pub(crate) redis_db: i64,
    pub(crate) enable_tls: bool,
    pub(crate) insecure_skip_tls_verify: bool,
    pub(crate) ca_cert: Option<&'m str>,
    pub(crate) client_cert: Option<&'m str>,
    pub(crate) client_key: Option<&'m Confidential>,
    pub(crate) failover: bool,
    pub(crate) sentinel_master_name: Option<&'m str>,
    pub(crate) sentinel_username: Option<&'m str>,
    pub(crate) sentinel_password: Option<&'m Confidential>,
    pub(crate) redis_max_retries: Option<i64>,
    pub(crate) redis_min_retry_interval: Option<Interval>,
    pub(crate) redis_max_retry_interval: Option<Interval>,
    pub(crate) dial_timeout: Option<Interval>,
    pub(crate) read_timeout: Option<Interval>,
    pub(crate) use_entra_id: bool,
    pub(crate) use_oidc: bool,
}

impl ConnectionMetadata<'_> {
    /// Checked settings.
    ///
    /// # Errors
    /// The entry that is wrong or does not fit another.
    pub(crate) fn settings(&self) -> Result<Settings, OpenError> {
        for (asked, field) in [
            (self.use_entra_id, "useEntraID"),
            (self.use_oidc, "useOIDC"),
        ] {
            if asked {
                return Err(wrong(field, "not supported: use `redisPassword` instead"));
            }
        }
        let addresses = self.addresses()?;
        let topology = self.topology(&addresses)?;
        let or = |field: Option<Interval>, default| field.unwrap_or(Interval::Default).or(default);
        let min = or(self.redis_min_retry_interval, Duration::from_millis(8));
        let max = or(self.redis_max_retry_interval, Duration::from_millis(512));
        let dial_timeout = or(self.dial_timeout, Duration::from_secs(5));
        let min = min.unwrap_or(Duration::ZERO);
        let redirections = match self.redis_max_retries {
            None | Some(0) => 3,
            Some(given) => u32::try_from(given.max(0)).unwrap_or(u32::MAX),
        };
        Ok(Settings {
            topology,
            addresses,
            login: Login::new(self.redis_username, self.redis_password),
            database: self.redis_db,
            tls: self.tls()?,
            tls_fingerprint: fingerprint(&(
                self.enable_tls,
                self.insecure_skip_tls_verify,
                self.ca_cert,
                self.client_cert,
                self.client_key.map(|key| key.0.reveal()),
            )),
            // Without an end nobody would learn that a server is gone.
            dial_timeout: dial_timeout.unwrap_or(Duration::from_secs(60)),
            response_timeout: or(self.read_timeout, Duration::from_secs(3)),
            backoff: Backoff {
                min,
                max: max.unwrap_or(Duration::ZERO).max(min),
            },
            redirections,
            purpose: "",
        })
    }

    fn addresses(&self) -> Result<Vec<Address>, OpenError> {
        let texts = self.redis_host.split(',').map(str::trim);
        let addresses = texts
            .filter(|text| !text.is_empty())
            .map(|text| Address::parse(text, self.redis_port))
            .collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err(wrong("redisHost", "empty: expected `host:port`"));
        }
        Ok(addresses)
    }

    fn topology(&self, addresses: &[Address]) -> Result<Topology, OpenError> {
        match (self.redis_type, self.failover) {
            (RedisType::Cluster, true) => Err(wrong(
                "failover",
                "a Cluster fails over by itself: remove this, or set `redisType: node`",
            )),
            (RedisType::Cluster, false) if self.redis_db != 0 => {
                Err(wrong("redisDB", "a Cluster has only database 0"))
            }
            (RedisType::Cluster, false) => Ok(Topology::Cluster),
            (RedisType::Node, true) => {
                let name = self.sentinel_master_name.filter(|name| !name.is_empty());
                let name = name.ok_or_else(|| {
                    wrong("sentinelMasterName", "missing, but `failover` needs it")
                })?;
                Ok(Topology::Sentinel {
                    master: name.to_owned(),
                    login: Login::new(self.sentinel_username, self.sentinel_password),
                })
            }
            (RedisType::Node, false) if addresses.len() > 1 => Err(wrong(
                "redisHost",
                "several addresses: expected one, or `redisType: cluster`, or `failover`",
            )),
            (RedisType::Node, false) => Ok(Topology::Node),
        }
    }

    fn tls(&self) -> Result<Option<Tls>, OpenError> {
        if !self.enable_tls {
            return Ok(None);
        }
        fn given(text: &&str) -> bool {
            !text.trim().is_empty()
        }
        let certificate = self.client_cert.filter(given);
        let key = self.client_key.map(|key| key.0.reveal()).filter(given);
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(wrong("clientKey", "missing, but `clientCert` is set")),
            (None, Some(_)) => return Err(wrong("clientCert", "missing, but `clientKey` is set")),
        };
        let authority = self.ca_cert.filter(given);
        Tls::new(authority, client, self.insecure_skip_tls_verify).map(Some)
    }
}

pub(super) fn wrong(field: &str, message: &str) -> OpenError {
    OpenError::Metadata {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}
