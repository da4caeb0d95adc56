//! What goes wrong with a Redis, in words that say what to do.

use berth_blocks::registry::OpenError;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use std::time::Duration;

/// What a failure means to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another attempt may cure it: not reachable, loading, failing over, out of memory.
    Unavailable,
    /// No answer in time; whether it happened is unknown.
    Timeout,
    /// User, password or permissions.
    Auth,
    /// Anything else: a mistake in the command, a type that does not fit.
    Other,
}

/// A failure. Its text names the server and never a password.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// What it means.
    pub(crate) fault: Fault,
    code: Option<Box<str>>,
    message: Box<str>,
}

impl Failure {
    pub(super) fn new(fault: Fault, message: String) -> Self {
        Self {
            fault,
            code: None,
            message: message.into(),
        }
    }

    pub(super) fn unavailable(location: &str, what: impl std::fmt::Display) -> Self {
        Self::new(Fault::Unavailable, format!("{location}: {what}"))
    }

    pub(super) fn timeout(location: &str, bound: Duration) -> Self {
        Self::new(
            Fault::Timeout,
            format!("{location}: no answer within {bound:?} (`readTimeout`)"),
        )
    }

    /// The client's or the server's error.
    pub(super) fn of(location: &str, error: &RedisError) -> Self {
        let fault = fault(error);
        let advice = advice(error).map_or(String::new(), |advice| format!(": {advice}"));
        // The detail of a refused password may repeat what was sent.
        let message = if error.kind() == ErrorKind::AuthenticationFailed {
            format!(
                "{location}: user or password refused: check `redisUsername` and `redisPassword`"
            )
        } else if fault == Fault::Timeout {
            format!("{location}: no answer in time (`readTimeout`)")
        } else {
            format!("{location}: {}{advice}", text(error))
        };
        Self {
            fault,
            code: error.code().map(Box::from),
            message: message.into(),
        }
    }

    /// The server's code, such as `NOSCRIPT`, `BUSYGROUP`, `NOGROUP`, `WRONGTYPE`, `CROSSSLOT`.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        Self::Backend(failure.message.into())
    }
}

/// The server's own words without the client's; else the client's.
fn text(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        _ if error.is_connection_dropped() && error.detail().is_none() => {
            "the connection broke".to_owned()
        }
        _ => error.to_string(),
    }
}

fn fault(error: &RedisError) -> Fault {
    match error.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => Fault::Auth,
        _ if error.is_timeout() => Fault::Timeout,
        ErrorKind::Io
        | ErrorKind::Parse
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::ReadOnly,
        ) => Fault::Unavailable,
        _ => match error.code() {
            Some("NOAUTH" | "WRONGPASS") => Fault::Auth,
            Some("OOM" | "MISCONF" | "BUSY" | "NOREPLICAS" | "UNBLOCKED") => Fault::Unavailable,
            Some("ERR")
                if error
                    .detail()
                    .is_some_and(|text| text.contains("max number of")) =>
            {
                Fault::Unavailable
            }
            _ => Fault::Other,
        },
    }
}

fn advice(error: &RedisError) -> Option<&'static str> {
    Some(match (error.kind(), error.code()?) {
        (_, "NOAUTH") => "the server wants a password: set `redisPassword`",
        (_, "NOPERM") => "grant it to the user by `ACL SETUSER`, or use another `redisUsername`",
        (_, "OOM") => {
            "raise the server's `maxmemory` or free memory; nothing of this call is stored"
        }
        (_, "MISCONF") => "the server cannot save: free space on its volume",
        (_, "READONLY") => "this is a replica: name the master, or use `failover` with Sentinel",
        (_, "MOVED") => "this is a Cluster: set `redisType: cluster`",
        (_, "ERR") if error.detail()?.contains("cluster support disabled") => {
            "this is no Cluster: set `redisType: node`"
        }
        (_, "ERR") if error.detail()?.contains("DB index") => "check `redisDB`",
        _ => return None,
    })
}
