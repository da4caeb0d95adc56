//! Checked settings of a connection: who, as whom, how long.

use super::{metadata::wrong, tls::Tls};
use berth_blocks::registry::{OpenError, metadata::Confidential};
use rand::RngExt as _;
use redis::{RedisConnectionInfo, cluster::ClusterClientBuilder};
use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
    time::Duration,
};

/// Host and port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub(crate) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    pub(super) fn parse(text: &str, default: Option<u16>) -> Result<Self, OpenError> {
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
    pub(super) fn new(username: Option<&str>, password: Option<&Confidential>) -> Self {
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
pub(super) enum Topology {
    Node,
    Cluster,
    Sentinel { master: String, login: Login },
}

/// Checked settings of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(super) topology: Topology,
    pub(super) addresses: Vec<Address>,
    pub(super) login: Login,
    pub(super) database: i64,
    pub(super) tls: Option<Tls>,
    pub(super) tls_fingerprint: u64,
    pub(super) dial_timeout: Duration,
    /// The longest that a call may take.
    pub(crate) response_timeout: Option<Duration>,
    pub(super) backoff: Backoff,
    pub(super) redirections: u32,
    /// Tells apart connections that are equal otherwise.
    pub(super) purpose: &'static str,
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
pub(super) fn fingerprint(value: &impl std::hash::Hash) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(value)
}
