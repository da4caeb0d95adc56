//! What goes wrong with a PostgreSQL server, in words that say what to do.

use super::Settings;
use berth_blocks::{registry::OpenError, state::StateError};
use std::{error::Error as _, fmt, io, time::Duration};
use tokio_postgres::{Error, error::SqlState};

/// What a failure means to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another attempt may cure it: not reachable, shutting down, a deadlock, no space.
    Unavailable,
    /// No answer in time; whether it happened is unknown.
    Timeout,
    /// Over a limit of the server.
    TooLarge,
    /// Something that the server cannot store.
    Invalid,
    /// The role may not do this.
    Forbidden,
    /// Anything else: a table that is missing, a mistake in a statement.
    Other,
}

/// A failure. Its text names the server and never a password.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// What it means.
    pub(crate) fault: Fault,
    message: Box<str>,
}

impl Failure {
    pub(crate) fn new(fault: Fault, message: String) -> Self {
        Self {
            fault,
            message: message.into(),
        }
    }

    pub(super) fn unavailable(location: &str, what: impl fmt::Display) -> Self {
        Self::new(Fault::Unavailable, format!("{location}: {what}"))
    }

    pub(super) fn timeout(location: &str, bound: Duration) -> Self {
        Self::new(
            Fault::Timeout,
            format!("{location}: no answer within {bound:?} (`timeout`)"),
        )
    }

    /// Of a call.
    pub(crate) fn of(location: &str, error: &Error) -> Self {
        let (fault, what) = match error.code() {
            Some(code) => (fault(code), server_text(error, advice(code))),
            None => (client_fault(error), client_text(error)),
        };
        Self::new(fault, format!("{location}: {what}"))
    }

    /// Of an attempt to connect.
    pub(super) fn connecting(settings: &Settings, error: &Error) -> Self {
        let what = match error.code() {
            Some(code) => server_text(error, connecting_advice(settings, error, code)),
            None => connecting_text(settings, error),
        };
        Self::new(Fault::Unavailable, format!("{}: {what}", settings.location))
    }

    /// An attempt to connect that took too long.
    pub(super) fn not_connected(settings: &Settings) -> Self {
        let bound = settings.connect_timeout;
        Self::unavailable(
            &settings.location,
            format_args!(
                "not connected within {bound:?} (`connect_timeout` of the connection string): check host, port and \
                 firewalls, and whether the server hangs"
            ),
        )
    }
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        Self::Backend(failure.message.into())
    }
}

/// What a failure means to a guest.
impl From<Failure> for StateError {
    fn from(failure: Failure) -> Self {
        let message = failure.message.into();
        match failure.fault {
            Fault::Unavailable => Self::Unavailable(message),
            Fault::Timeout => Self::Timeout(message),
            Fault::TooLarge => Self::TooLarge(message),
            Fault::Invalid => Self::Invalid(message),
            Fault::Forbidden | Fault::Other => Self::Other(message),
        }
    }
}

/// The server's own words, with its code.
fn server_text(error: &Error, advice: Option<&str>) -> String {
    let Some(error) = error.as_db_error() else {
        return error.to_string();
    };
    let code = error.code().code();
    match advice {
        Some(advice) => format!("{} ({code}): {advice}", error.message()),
        None => format!("{} ({code})", error.message()),
    }
}

fn client_text(error: &Error) -> String {
    match (error.is_closed(), error.source()) {
        (true, _) => "the connection broke".to_owned(),
        (false, Some(cause)) => format!("{error}: {cause}"),
        (false, None) => error.to_string(),
    }
}

fn client_fault(error: &Error) -> Fault {
    let broken = error.is_closed() || error.source().is_some_and(|cause| cause.is::<io::Error>());
    if broken {
        Fault::Unavailable
    } else {
        Fault::Other
    }
}

/// Classes are the first two characters of a code.
fn fault(code: &SqlState) -> Fault {
    match code.code() {
        // A statement that was cancelled since it took too long.
        "57014" => Fault::Timeout,
        // Lock not available, cancelled by a standby's recovery, only reading.
        "55P03" | "40001" | "40P01" | "25006" => Fault::Unavailable,
        "22021" | "22P05" => Fault::Invalid,
        "42501" => Fault::Forbidden,
        other => match other.get(..2) {
            // Connections, transactions that were rolled back, resources, operators, the system, its files.
            Some("08" | "40" | "53" | "57" | "58" | "28") => Fault::Unavailable,
            Some("54") => Fault::TooLarge,
            _ => Fault::Other,
        },
    }
}

fn advice(code: &SqlState) -> Option<&'static str> {
    Some(match code.code() {
        "40P01" | "40001" => "another transaction met this one; try again",
        "25006" => {
            "this server is a standby: name the primary, or add `target_session_attrs=read-write`"
        }
        "42501" => "grant it to the role",
        "3F000" => "create it",
        "42P01" => "the table was dropped; the host makes it again when it opens the backend",
        "53100" => "free space on the server's volume; nothing of this call is stored",
        "53300" => "raise the server's `max_connections` or lower `maxConns`",
        "54000" => "keys of more than about 2,600 bytes do not fit into an index",
        "26000" | "42P05" => {
            "a pooler such as PgBouncer lies between: set `queryExecMode: exec`, or its pool mode to `session`"
        }
        _ => return None,
    })
}

fn connecting_advice(settings: &Settings, error: &Error, code: &SqlState) -> Option<&'static str> {
    let unencrypted = error
        .as_db_error()
        .is_some_and(|error| error.message().contains("no encryption"));
    Some(match code.code() {
        "28P01" => "check `user` and `password`",
        "28000" if unencrypted && settings.tls_is_off() => {
            "the server wants TLS, or its `pg_hba.conf` does not let this user in: set `sslmode=require`"
        }
        "28000" => "the server's `pg_hba.conf` does not let this user in from here",
        "3D000" => "create the database, or name another in `database`",
        _ => return advice(code),
    })
}

fn connecting_text(settings: &Settings, error: &Error) -> String {
    let cause = error.source();
    let io = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    // The client does not say which of its steps failed but by this text.
    let step = error.to_string();
    if step.contains("TLS") {
        let tls = innermost(error);
        return format!("TLS: {tls}: {}", tls_advice(settings, &tls));
    }
    match io {
        Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => {
            format!("{io}: check host and port, and that the server runs")
        }
        Some(io) if io.to_string().contains("lookup") => {
            format!("{io}: the name is not known, check `host`")
        }
        Some(io) if io.kind() == io::ErrorKind::UnexpectedEof => {
            "the server closed the connection before it was open: check that this is PostgreSQL"
                .to_owned()
        }
        Some(io) => format!("{io}: check host, port and network"),
        None => match cause.map(ToString::to_string) {
            Some(cause) if cause.contains("password missing") => {
                "the server wants a password: set `password`".to_owned()
            }
            Some(cause) => format!("{step}: {cause}"),
            None => step,
        },
    }
}

fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn tls_advice(settings: &Settings, cause: &str) -> &'static str {
    if cause.contains("does not support TLS") {
        return "turn on `ssl` at the server, or set `sslmode=disable`";
    }
    if cause.contains("NotValidForName") || cause.contains("not valid for name") {
        return "its certificate is for another host: name that one, or set `sslmode=verify-ca`";
    }
    // Two authorities may have one name: then only the signature tells them apart.
    if cause.contains("UnknownIssuer") || cause.contains("BadSignature") {
        return if settings.has_root_certificate() {
            "its certificate is not of the authority in `sslrootcert`"
        } else {
            "its certificate is of no authority that the system knows: set `sslrootcert`"
        };
    }
    if cause.contains("CertificateRequired") || cause.contains("certificate required") {
        return "the server wants a certificate of the client: set `sslcert` and `sslkey`";
    }
    "check `sslmode`, `sslrootcert`, `sslcert` and `sslkey`"
}
