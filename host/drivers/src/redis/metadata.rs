//! Metadata that every Redis component has, in the names and with the defaults of Dapr.

use super::tls::Tls;
use berth_blocks::registry::{
    OpenError,
    metadata::{Confidential, duration},
};
use rand::RngExt as _;
use redis::{RedisConnectionInfo, cluster::ClusterClientBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
    time::Duration,
};

/// Declares a metadata struct with the fields of every Redis component and the given ones, which must carry serde's
/// attributes themselves. `connection(&self)` gives the common ones.
macro_rules! redis_metadata {
    ($(#[$meta:meta])* struct $name:ident { $($own:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct $name {
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

fn wrong(field: &str, message: &str) -> OpenError {
    OpenError::Metadata {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}

/// Host and port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub(crate) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    fn parse(text: &str, default: Option<u16>) -> Result<Self, OpenError> {
        let bad = || {
            let message = format!("`{text}` is no address: expected `host:port`");
            wrong("redisHost", &message)
        };
        if text.contains(['/', '@']) {
            return Err(bad());
        }
        // `[::1]:6379`, `::1`, `host:6379`, `host`.
        let (host, port) = match (text.strip_prefix('['), text.rsplit_once(':')) {
            (Some(rest), _) => {
                let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
                (host, rest.strip_prefix(':'))
            }
            (None, Some((host, port))) if !host.contains(':') => (host, Some(port)),
            (None, _) => (text, None),
        };
        let port = match port {
            Some(port) => Some(port.parse::<u16>().map_err(|_| bad())?),
            None => None,
        };
        if let (Some(port), Some(other)) = (port, default.filter(|port| *port != 0))
            && port != other
        {
            let message = format!("`{text}` names port {port}, but `redisPort` is {other}");
            return Err(wrong("redisPort", &message));
        }
        if host.is_empty() {
            return Err(bad());
        }
        Ok(Self {
            host: host.to_owned(),
            port: port.or(default.filter(|port| *port != 0)).unwrap_or(6379),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// User and password.
#[derive(Debug, Clone, Default)]
pub(crate) struct Login {
    username: Option<String>,
    password: Option<Confidential>,
}

impl Login {
    fn new(username: Option<&str>, password: Option<&Confidential>) -> Self {
        Self {
            username: username.filter(|name| !name.is_empty()).map(str::to_owned),
            password: password
                .filter(|password| !password.0.reveal().is_empty())
                .cloned(),
        }
    }

    pub(super) fn apply(&self, mut info: RedisConnectionInfo) -> RedisConnectionInfo {
        info = info.set_lib_name("berth", env!("CARGO_PKG_VERSION"));
        if let Some(username) = &self.username {
            info = info.set_username(username);
        }
        if let Some(password) = &self.password {
            info = info.set_password(password.0.reveal());
        }
        info
    }

    pub(super) fn apply_to_cluster(
        &self,
        mut builder: ClusterClientBuilder,
    ) -> ClusterClientBuilder {
        if let Some(username) = &self.username {
            builder = builder.username(username);
        }
        if let Some(password) = &self.password {
            builder = builder.password(password.0.reveal());
        }
        builder
    }

    fn fingerprint(&self) -> u64 {
        let password = self.password.as_ref();
        fingerprint(&(
            self.username.as_deref(),
            password.map(|text| text.0.reveal()),
        ))
    }
}

/// Waits between attempts to connect: doubled each time, and jittered, so that hosts do not come all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Backoff {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

impl Backoff {
    /// The wait after so many failures: between half and all of the doubled time.
    pub(super) fn wait(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let full = self.min.saturating_mul(1 << doublings).min(self.max);
        full.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

/// Who is connected to.
#[derive(Debug, Clone)]
enum Topology {
    Node,
    Cluster,
    Sentinel { master: String, login: Login },
}

/// Checked settings of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    topology: Topology,
    pub(super) addresses: Vec<Address>,
    pub(super) login: Login,
    pub(super) database: i64,
    pub(super) tls: Option<Tls>,
    tls_fingerprint: u64,
    pub(super) dial_timeout: Duration,
    /// The longest that a call may take.
    pub(crate) response_timeout: Option<Duration>,
    pub(super) backoff: Backoff,
    pub(super) redirections: u32,
    purpose: &'static str,
}

impl Settings {
    /// The same, but not the same connection: for what would hold up everybody else.
    pub(crate) fn apart_for(mut self, purpose: &'static str) -> Self {
        self.purpose = purpose;
        self
    }

    /// What backends must have in common to share a connection. It holds no secret, and nothing that can be turned
    /// back into one.
    pub(super) fn identity(&self) -> String {
        let sentinel = match &self.topology {
            Topology::Node => 0,
            Topology::Cluster => 1,
            Topology::Sentinel { master, login } => fingerprint(&(master, login.fingerprint())),
        };
        let rest = fingerprint(&(
            self.login.fingerprint(),
            self.tls_fingerprint,
            self.dial_timeout,
            self.response_timeout,
            self.backoff,
            self.redirections,
            sentinel,
        ));
        format!(
            "redis {}/{} {} {rest:016x}",
            self.hosts(),
            self.database,
            self.purpose
        )
    }

    fn hosts(&self) -> String {
        let hosts: Vec<String> = self.addresses.iter().map(Address::to_string).collect();
        hosts.join(",")
    }

    /// What messages call it.
    pub(crate) fn location(&self) -> String {
        let hosts = self.hosts();
        match &self.topology {
            Topology::Node => format!("Redis at {hosts}"),
            Topology::Cluster => format!("Redis Cluster at {hosts}"),
            Topology::Sentinel { master, .. } => {
                format!("Redis master \"{master}\" of Sentinel at {hosts}")
            }
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster)
    }

    /// The name of the master to follow.
    pub(super) fn sentinel_master(&self) -> Option<&str> {
        match &self.topology {
            Topology::Sentinel { master, .. } => Some(master),
            Topology::Node | Topology::Cluster => None,
        }
    }

    pub(super) fn sentinel_login(&self) -> &Login {
        match &self.topology {
            Topology::Sentinel { login, .. } => login,
            Topology::Node | Topology::Cluster => &self.login,
        }
    }
}

/// A hash with a key of this process: of secrets nothing can be learned from it.
fn fingerprint(value: &impl std::hash::Hash) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(value)
}
