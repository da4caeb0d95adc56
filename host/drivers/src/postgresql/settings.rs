//! What a backend says about its database, as the client wants it.

use super::{
    connection_string::{self, Entries},
    error::Failure,
    tls::{Files, connector},
};
use crate::tls::Verify;
use berth_blocks::registry::OpenError;
use futures::future::BoxFuture;
use std::{
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
    time::Duration,
};
use tokio_postgres::{
    Client, Config,
    config::{LoadBalanceHosts, SslMode, SslNegotiation, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// As Dapr's client has it.
const MAX_IDLE: Duration = Duration::from_secs(30 * 60);
const CONNECTIONS_MIN: usize = 4;
/// A connection that answers nothing for so long, a probe included, is given up.
const PATIENCE_MAX: Duration = Duration::from_secs(10);

/// How statements are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum QueryMode {
    /// Prepared once per connection.
    Prepared,
    /// Anew with each call: for poolers that give each transaction another connection.
    Unnamed,
}

/// What the metadata gives. Fields go before the connection string.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    pub(crate) connection_string: Option<&'a str>,
    /// Names of the connection string with their values.
    pub(crate) fields: Vec<(&'static str, &'a str)>,
    pub(crate) max_connections: Option<usize>,
    pub(crate) max_idle: Option<Duration>,
    pub(crate) query_mode: Option<QueryMode>,
    pub(crate) timeout: Duration,
}

/// How the database is reached.
pub(crate) struct Settings {
    /// For messages.
    pub(super) location: String,
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    /// The longest that connecting may take, TLS and login included.
    pub(super) connect_timeout: Duration,
    /// The longest that a call may take.
    pub(super) timeout: Duration,
    pub(super) max_idle: Duration,
    pub(super) query_mode: QueryMode,
    max_connections: usize,
    files: Files,
    fingerprint: u64,
}

/// A new connection and the work that drives it.
pub(super) struct Connected {
    pub(super) client: Client,
    pub(super) connection: BoxFuture<'static, ()>,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// What is missing or wrong. Values of entries are not repeated, since one may be a password.
    pub(crate) fn new(given: &Given<'_>) -> Result<Self, OpenError> {
        let text = given.connection_string.unwrap_or_default();
        let mut entries =
            connection_string::parse(text).map_err(|error| wrong("connectionString", error))?;
        for (name, value) in &given.fields {
            entries.retain(|(known, _)| canonical(known) != *name);
            entries.push(((*name).to_owned(), (*value).to_owned()));
        }
        if entries.is_empty() {
            return Err(wrong("connectionString", "missing, but required"));
        }
        let mut draft = Draft::default();
        for (name, value) in &entries {
            draft.take(canonical(name), value)?;
        }
        draft.settings(given, fingerprint(&entries, given))
    }

    /// What tells databases apart. Equal ones share their connections.
    pub(super) fn identity(&self) -> String {
        format!("{} #{:x}", self.location, self.fingerprint)
    }

    /// How many lanes, and how many connections for transactions.
    pub(super) fn connections(&self) -> (usize, usize) {
        let lanes = self.max_connections.div_ceil(2);
        (lanes, self.max_connections - lanes)
    }

    /// How long a silent connection is waited for.
    pub(super) fn patience(&self) -> Duration {
        (self.timeout / 2).min(PATIENCE_MAX)
    }

    pub(super) fn tls_is_off(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Disable
    }

    pub(super) fn has_root_certificate(&self) -> bool {
        self.files.root.is_some()
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Connected, Failure> {
        let connecting = self.config.connect(self.tls.clone());
        match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(Ok((client, connection))) => Ok(Connected {
                client,
                connection: Box::pin(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection ended");
                    }
                }),
            }),
            Ok(Err(error)) => Err(Failure::connecting(self, &error)),
            Err(_) => Err(Failure::not_connected(self)),
        }
    }
}

/// `database` is what Dapr's metadata calls `dbname`.
fn canonical(name: &str) -> &str {
    match name {
        "database" => "dbname",
        name => name,
    }
}

/// Of everything that tells connections apart. Passwords do not go into identities as they are.
fn fingerprint(entries: &Entries, given: &Given<'_>) -> u64 {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    SEED.hash_one((
        entries,
        given.max_connections,
        given.max_idle,
        given.query_mode,
        given.timeout,
    ))
}

pub(super) fn wrong(field: &str, message: impl Into<String>) -> OpenError {
    OpenError::Metadata {
        field: field.to_owned(),
        message: message.into(),
    }
}

/// Settings that are being read.
#[derive(Default)]
struct Draft {
    config: Config,
    hosts: Vec<String>,
    ports: Vec<u16>,
    has_address: bool,
    ssl_mode: Option<String>,
    files: Files,
    connect_timeout: Option<Duration>,
    max_connections: Option<usize>,
    max_idle: Option<Duration>,
    query_mode: Option<QueryMode>,
    /// Parameters of the session, such as `search_path`.
    session: Vec<String>,
}

impl Draft {
    fn take(&mut self, name: &str, value: &str) -> Result<(), OpenError> {
        match name {
            "host" => self.hosts = list(value),
            "hostaddr" => {
                for address in list(value) {
                    let address = address
                        .parse()
                        .map_err(|_| wrong(name, "expected an IP address"))?;
                    self.config.hostaddr(address);
                    self.has_address = true;
                }
            }
            "port" => {
                for port in value.split(',') {
                    self.ports.push(match port.trim() {
                        "" => 5432,
                        port => port
                            .parse()
                            .map_err(|_| wrong(name, "expected a number from 1 to 65535"))?,
                    });
                }
            }
            "user" => {
                self.config.user(value);
            }
            "password" => {
                self.config.password(value);
            }
            "dbname" => {
                self.config.dbname(value);
            }
            "application_name" | "fallback_application_name" => {
                self.config.application_name(value);
            }
            "options" => self.session.push(value.to_owned()),
            "sslmode" => self.ssl_mode = Some(value.to_owned()),
            "sslrootcert" => self.files.root = Some(value.to_owned()),
            "sslcert" => self.files.certificate = Some(value.to_owned()),
            "sslkey" => self.files.key = Some(value.to_owned()),
            "sslnegotiation" => drop(self.config.ssl_negotiation(match value {
                "postgres" => SslNegotiation::Postgres,
                "direct" => SslNegotiation::Direct,
                _ => return Err(wrong(name, "expected `postgres` or `direct`")),
            })),
            "connect_timeout" => {
                let seconds: u64 = number(name, value)?;
                // 0 is without bound for libpq; the default is enough here.
                self.connect_timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
            }
            "tcp_user_timeout" => {
                let timeout = Duration::from_millis(number(name, value)?);
                self.config.tcp_user_timeout(timeout);
            }
            "keepalives" => drop(self.config.keepalives(value != "0")),
            "keepalives_idle" => {
                let idle = Duration::from_secs(number(name, value)?);
                self.config.keepalives_idle(idle);
            }
            "target_session_attrs" => drop(self.config.target_session_attrs(match value {
                "any" | "prefer-standby" => TargetSessionAttrs::Any,
                "read-write" | "primary" => TargetSessionAttrs::ReadWrite,
                "read-only" | "standby" => TargetSessionAttrs::ReadOnly,
                _ => return Err(wrong(name, "expected `any`, `read-write` or `read-only`")),
            })),
            "load_balance_hosts" => drop(self.config.load_balance_hosts(match value {
                "disable" => LoadBalanceHosts::Disable,
                "random" => LoadBalanceHosts::Random,
                _ => return Err(wrong(name, "expected `disable` or `random`")),
            })),
            "pool_max_conns" => self.max_connections = Some(number(name, value)?),
            "pool_max_conn_idle_time" => {
                let idle =
                    berth_blocks::registry::metadata::duration(value, Duration::from_secs(1));
                self.max_idle = Some(idle.map_err(|error| wrong(name, error))?);
            }
            "default_query_exec_mode" => {
                self.query_mode = Some(match value {
                    "cache_statement" => QueryMode::Prepared,
                    "cache_describe" | "describe_exec" | "exec" | "simple_protocol" => {
                        QueryMode::Unnamed
                    }
                    _ => return Err(wrong(name, "expected `cache_statement` or `exec`")),
                });
            }
            // Of Dapr's client: connections are kept as long as they work, and statements as long as connections.
            "pool_min_conns"
            | "pool_min_idle_conns"
            | "pool_max_conn_lifetime"
            | "pool_max_conn_lifetime_jitter"
            | "pool_health_check_period"
            | "statement_cache_capacity"
            | "description_cache_capacity"
            | "min_read_buffer_size"
            | "keepalives_interval"
            | "keepalives_count"
            | "sslsni"
            | "gssencmode" => {}
            "passfile" | "service" | "servicefile" | "sslpassword" | "sslinline" | "sslcrl"
            | "krbsrvname" | "krbspn" | "requirepeer" | "channel_binding" => {
                return Err(wrong(
                    "connectionString",
                    format!("`{name}` is not supported: name host, user and password instead"),
                ));
            }
            // Whatever else is there is a parameter of the session, as for Dapr's client.
            _ => self.session.push(session_parameter(name, value)?),
        }
        Ok(())
    }

    fn settings(mut self, given: &Given<'_>, fingerprint: u64) -> Result<Settings, OpenError> {
        if self.hosts.is_empty() && !self.has_address {
            self.hosts.push("localhost".to_owned());
        }
        for host in &self.hosts {
            self.config.host(host);
        }
        for port in &self.ports {
            self.config.port(*port);
        }
        if self.config.get_application_name().is_none() {
            self.config.application_name("berth");
        }
        if !self.session.is_empty() {
            self.config.options(self.session.join(" "));
        }
        let Some(user) = self.config.get_user().map(str::to_owned) else {
            return Err(wrong("user", "missing, but required"));
        };
        if self.config.get_dbname().is_none() {
            self.config.dbname(&user);
        }
        let (mode, verify) = self.verification()?;
        self.config.ssl_mode(mode);
        let tls = if mode == SslMode::Disable {
            connector(Verify::Nothing, &Files::default())?
        } else {
            connector(verify, &self.files)?
        };
        let max_connections = given.max_connections.or(self.max_connections);
        Ok(Settings {
            location: self.location(),
            tls,
            connect_timeout: self.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
            timeout: given.timeout,
            max_idle: given.max_idle.or(self.max_idle).unwrap_or(MAX_IDLE),
            query_mode: given
                .query_mode
                .or(self.query_mode)
                .unwrap_or(QueryMode::Prepared),
            // One lane, and one connection for transactions.
            max_connections: max_connections.unwrap_or_else(default_connections).max(2),
            config: self.config,
            files: self.files,
            fingerprint,
        })
    }

    /// As libpq reads `sslmode`; with a root certificate, `require` means `verify-ca`.
    fn verification(&self) -> Result<(SslMode, Verify), OpenError> {
        Ok(match self.ssl_mode.as_deref() {
            Some("disable") => (SslMode::Disable, Verify::Nothing),
            None | Some("prefer" | "allow") => (SslMode::Prefer, Verify::Nothing),
            Some("require") if self.files.root.is_some() => (SslMode::Require, Verify::Authority),
            Some("require") => (SslMode::Require, Verify::Nothing),
            Some("verify-ca") => (SslMode::Require, Verify::Authority),
            Some("verify-full") => (SslMode::Require, Verify::Host),
            Some(_) => {
                return Err(wrong(
                    "sslmode",
                    "expected `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`",
                ));
            }
        })
    }

    fn location(&self) -> String {
        let addresses = self.config.get_hostaddrs().iter().map(ToString::to_string);
        let hosts: Vec<String> = if self.hosts.is_empty() {
            addresses.collect()
        } else {
            self.hosts.clone()
        };
        let port = |number: usize| {
            let port = self.ports.get(number).or(self.ports.first());
            port.copied().unwrap_or(5432)
        };
        let places: Vec<String> = hosts
            .iter()
            .enumerate()
            .map(|(number, host)| format!("{host}:{}", port(number)))
            .collect();
        let database = self.config.get_dbname().unwrap_or_default();
        format!("PostgreSQL database `{database}` at {}", places.join(", "))
    }
}

/// As Dapr's client has it.
fn default_connections() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.max(CONNECTIONS_MIN)
}

fn list(value: &str) -> Vec<String> {
    let items = value.split(',').map(str::trim);
    items
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, OpenError> {
    let number = value.trim().parse();
    number.map_err(|_| wrong(name, "expected a whole number, not negative"))
}

/// As an option of the command line of the server's session.
fn session_parameter(name: &str, value: &str) -> Result<String, OpenError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if !name.chars().all(plain) {
        return Err(wrong(
            "connectionString",
            "the name of an entry holds something else than letters, digits, `_` and `.`",
        ));
    }
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if c == '\\' || c.is_whitespace() {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    Ok(format!("-c {name}={escaped}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Given<'_> {
        Given {
            connection_string: Some(text),
            fields: Vec::new(),
            max_connections: None,
            max_idle: None,
            query_mode: None,
            timeout: Duration::from_secs(20),
        }
    }

    fn read(text: &str) -> Settings {
        Settings::new(&given(text)).unwrap()
    }

    fn refused(text: &str) -> String {
        match Settings::new(&given(text)) {
            Ok(settings) => settings.location,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn fields_go_before_the_connection_string() {
        let settings = Settings::new(&Given {
            fields: vec![("user", "b"), ("dbname", "d"), ("port", "7")],
            ..given("postgres://a:secret@db:6/c?pool_max_conns=9&search_path=one, two")
        })
        .unwrap();
        assert_eq!(settings.location, "PostgreSQL database `d` at db:7");
        assert_eq!(settings.config.get_user(), Some("b"));
        assert_eq!(settings.connections(), (5, 4));
        assert_eq!(
            settings.config.get_options(),
            Some("-c search_path=one,\\ two")
        );
    }

    #[test]
    fn database_and_host_have_defaults() {
        assert_eq!(
            read("user=a").location,
            "PostgreSQL database `a` at localhost:5432"
        );
        assert_eq!(
            read("user=a database=b hostaddr=127.0.0.1").location,
            "PostgreSQL database `b` at 127.0.0.1:5432"
        );
        assert_eq!(
            read("postgres://a@b,c:1/d").location,
            "PostgreSQL database `d` at b:5432, c:1"
        );
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        assert_eq!(
            refused(""),
            "metadata `connectionString`: missing, but required"
        );
        assert_eq!(refused("host=a"), "metadata `user`: missing, but required");
        assert_eq!(
            refused("user=a sslmode=hunter2"),
            "metadata `sslmode`: expected `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`"
        );
        assert_eq!(
            refused("user=a sslmode=verify-ca sslrootcert=/nowhere/ca.pem"),
            "metadata `sslrootcert`: reading `/nowhere/ca.pem`: I/O error: No such file or directory (os error 2)"
        );
        assert_eq!(
            refused("user=a port=hunter2"),
            "metadata `port`: expected a number from 1 to 65535"
        );
        assert_eq!(
            refused("user=a passfile=b"),
            "metadata `connectionString`: `passfile` is not supported: name host, user and password instead"
        );
    }

    #[test]
    fn an_identity_tells_passwords_apart_and_shows_none() {
        let one = read("user=a password=hunter2").identity();
        assert_eq!(one, read("user=a password=hunter2").identity());
        assert_ne!(one, read("user=a password=hunter3").identity());
        assert!(!one.contains("hunter2"), "{one}");
    }
}
