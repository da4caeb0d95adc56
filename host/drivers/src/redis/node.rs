//! A connection to one server: name, TCP, TLS, login, each with an error of its own.

use super::{
    error::{Failure, Fault},
    sentinel,
    settings::{Address, Login, Settings},
};
use crate::{task::Task, together::Underway};
use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisError, Value,
    aio::MultiplexedConnection, pipe,
};
use rustls::pki_types::ServerName;
use std::{future::Future, io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

/// Commands that wait to be written; callers wait beyond that.
const QUEUED_COMMANDS: usize = 1024;

/// What a server is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It takes writes, and has so many replicas.
    Master { replicas: usize },
    /// It repeats the writes of a master.
    Replica,
    /// It does not say, or is a sentinel.
    Unknown,
}

impl Role {
    fn of(answer: &Value) -> Self {
        let Value::Array(parts) = answer else {
            return Self::Unknown;
        };
        match parts.as_slice() {
            [Value::BulkString(role), _, Value::Array(replicas), ..] if role == b"master" => {
                Self::Master {
                    replicas: replicas.len(),
                }
            }
            [Value::BulkString(role), ..] if role == b"slave" => Self::Replica,
            _ => Self::Unknown,
        }
    }
}

/// An established connection and the task that drives it.
#[derive(Debug)]
pub(super) struct NodeConnection {
    /// Clones share it. It is dead when `driver` has ended.
    pub(super) connection: MultiplexedConnection,
    /// Calls of those who share it.
    pub(super) underway: Underway,
    /// Ends when the connection breaks.
    pub(super) driver: Task,
    pub(super) role: Role,
}

impl NodeConnection {
    pub(super) async fn call(
        &mut self,
        command: &Cmd,
        patience: Option<Duration>,
        location: &str,
    ) -> Result<Value, Failure> {
        let answer = self.connection.send_packed_command(command);
        let answer = match patience {
            Some(patience) => timeout(patience, answer)
                .await
                .map_err(|_| Failure::timeout(location, patience))?,
            None => answer.await,
        };
        answer
            .and_then(Value::extract_error)
            .map_err(|error| Failure::of(location, &error))
    }

    /// Whether it answers, and what the server is. A refusal is an answer.
    pub(super) async fn probe(&mut self, patience: Duration) -> Result<Role, RedisError> {
        let answers = timeout(patience, hello(&mut self.connection)).await;
        answers.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }
}

async fn hello(connection: &mut MultiplexedConnection) -> Result<Role, RedisError> {
    let mut hello = pipe();
    hello.cmd("PING").cmd("ROLE");
    let answers = connection.send_packed_commands(&hello, 0, 2).await?;
    let [ping, role] = <[Value; 2]>::try_from(answers).map_err(|_| {
        RedisError::from(io::Error::new(
            io::ErrorKind::InvalidData,
            "two questions, another number of answers",
        ))
    })?;
    match ping.extract_error() {
        // Whoever may not ping may do other things.
        Err(error) if error.code() != Some("NOPERM") => Err(error),
        _ => Ok(Role::of(&role)),
    }
}

/// A connection for one user that may block, such as a reader of a stream. Dropped: closed.
#[derive(Debug)]
pub(crate) struct Dedicated {
    node: NodeConnection,
    location: String,
}

impl Dedicated {
    pub(super) fn new(node: NodeConnection, location: String) -> Self {
        Self { node, location }
    }

    /// Sends one command and waits for its answer at most `patience`: more than the command itself may block. After a
    /// timeout the connection is of no use.
    ///
    /// # Errors
    /// What went wrong, the server's own errors included.
    pub(crate) async fn call(
        &mut self,
        command: &Cmd,
        patience: Duration,
    ) -> Result<Value, Failure> {
        self.node
            .call(command, Some(patience), &self.location)
            .await
    }

    /// Which server this is.
    #[cfg(test)]
    pub(super) fn location(&self) -> &str {
        &self.location
    }
}

/// How many answers to skip and to keep: of a transaction only that of `EXEC` counts.
pub(super) fn answers_of(commands: &Pipeline) -> (usize, usize) {
    if commands.is_transaction() {
        (commands.len() + 1, 1)
    } else {
        (0, commands.len())
    }
}

/// A dedicated connection to the server, or to the master that the sentinels name.
pub(super) async fn dedicated(settings: &Settings) -> Result<Dedicated, Failure> {
    let (node, location) = connect_master(settings).await?;
    Ok(Dedicated::new(node, location))
}

/// Connects to the server, or to the master that the sentinels name.
pub(super) async fn connect_master(
    settings: &Settings,
) -> Result<(NodeConnection, String), Failure> {
    let Some(name) = settings.sentinel_master() else {
        let location = settings.location();
        let address = settings
            .addresses
            .first()
            .ok_or_else(|| Failure::unavailable(&location, "no address is named"))?;
        let node = connect(
            settings,
            address,
            &location,
            &settings.login,
            settings.database,
        )
        .await?;
        return Ok((node, location));
    };
    let address = sentinel::master(settings, name).await?;
    let location = format!("Redis at {address} (master \"{name}\")");
    let node = connect(
        settings,
        &address,
        &location,
        &settings.login,
        settings.database,
    )
    .await?;
    if node.role == Role::Replica {
        let what = "the sentinels call it master, but it is a replica: a failover is under way";
        return Err(Failure::unavailable(&location, what));
    }
    Ok((node, location))
}

/// Connects to one server within `dialTimeout`, and hears from it.
pub(super) async fn connect(
    settings: &Settings,
    address: &Address,
    location: &str,
    login: &Login,
    database: i64,
) -> Result<NodeConnection, Failure> {
    let clock = Clock {
        bound: settings.dial_timeout,
        deadline: Instant::now() + settings.dial_timeout,
        location,
    };
    let stream = clock
        .within(
            dial(address, location),
            "no connection: does a firewall drop packets?",
        )
        .await??;
    let silence = "connected, but it does not answer: is it overloaded?";
    let Some(tls) = &settings.tls else {
        let greeting = clock.within(greet(stream, location, login, database), silence);
        return greeting
            .await?
            .map_err(|error| plain_failure(location, &error));
    };
    let name = ServerName::try_from(address.host.clone()).map_err(|_| {
        let what = "TLS: this host cannot be in a certificate: check `redisHost`";
        Failure::unavailable(location, what)
    })?;
    let connector = TlsConnector::from(tls.config.clone());
    let stream = clock
        .within(
            connector.connect(name, stream),
            "TLS: no handshake: the server may not speak TLS at this port: check `redisHost` and `enableTLS`",
        )
        .await?
        .map_err(|error| tls_failure(location, &error))?;
    let greeting = clock.within(greet(stream, location, login, database), silence);
    greeting.await?.map_err(|error| {
        // A client certificate is refused only after the handshake of TLS 1.3.
        if error.is_io_error() {
            tls_failure(location, &io::Error::other(error))
        } else {
            Failure::of(location, &error)
        }
    })
}

/// The time that all steps of connecting share.
struct Clock<'c> {
    bound: Duration,
    deadline: Instant,
    location: &'c str,
}

impl Clock<'_> {
    async fn within<T>(&self, step: impl Future<Output = T>, late: &str) -> Result<T, Failure> {
        timeout_at(self.deadline, step).await.map_err(|_| {
            let bound = self.bound;
            let what = format!("not within {bound:?} (`dialTimeout`): {late}");
            Failure::unavailable(self.location, what)
        })
    }
}

async fn dial(address: &Address, location: &str) -> Result<TcpStream, Failure> {
    let found = lookup_host((address.host.as_str(), address.port))
        .await
        .map_err(|error| {
            let what = format!(
                "the name `{}` cannot be resolved ({error}): check `redisHost`",
                address.host
            );
            Failure::unavailable(location, what)
        })?;
    let mut last = None;
    for socket in found {
        match TcpStream::connect(socket).await {
            Ok(stream) => {
                // Only latency suffers where the system does not know it.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    let what = match last {
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "connection refused: is the server running, and is the port of `redisHost` right?"
                .to_owned()
        }
        Some(error) => format!("{error}: check `redisHost`"),
        None => "the name has no address: check `redisHost`".to_owned(),
    };
    Err(Failure::unavailable(location, what))
}

async fn greet(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    location: &str,
    login: &Login,
    database: i64,
) -> Result<NodeConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUED_COMMANDS);
    let info = login.apply(RedisConnectionInfo::default().set_db(database));
    let (mut connection, driver) =
        MultiplexedConnection::new_with_config(&info, stream, config).await?;
    let underway = Underway::default();
    let driver = underway.spawn(driver);
    let role = hello(&mut connection).await?;
    tracing::debug!(server = location, ?role, "connected");
    Ok(NodeConnection {
        connection,
        underway,
        driver,
        role,
    })
}

fn plain_failure(location: &str, error: &RedisError) -> Failure {
    if error.is_connection_dropped() {
        let what = "the server hung up at once: does it expect TLS (`enableTLS`)?";
        return Failure::unavailable(location, what);
    }
    Failure::of(location, error)
}

fn tls_failure(location: &str, error: &io::Error) -> Failure {
    let text = error.to_string();
    let advice = if text.contains("InvalidContentType") {
        "the server does not speak TLS at this port: check `redisHost` and `enableTLS`"
    } else if text.contains("UnknownIssuer") || text.contains("BadSignature") {
        "its certificate is of an authority that is not trusted: set `caCert`"
    } else if text.contains("NotValidForName") || text.contains("not valid for name") {
        "its certificate is for another name: check `redisHost`"
    } else if text.contains("CertificateRequired") || text.contains("BadCertificate") {
        "it wants a client certificate: set `clientCert` and `clientKey`"
    } else {
        "check `caCert`, `clientCert` and `clientKey`"
    };
    Failure::new(
        Fault::Unavailable,
        format!("{location}: TLS: {text}: {advice}"),
    )
}
