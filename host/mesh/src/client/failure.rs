//! What was tried, and why it failed.

use crate::{security::PlainBeyondLoopback, tls::PeerError};
use berth_blocks::invocation::{InvokeError, Target};
use std::{fmt, io, net::SocketAddr};

/// Whether an app may have seen a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Surely not: it may be sent again.
    Undelivered,
    /// Perhaps, or it did: whoever sends it again may have it executed twice.
    Perhaps,
}

/// One host that was tried.
#[derive(Debug)]
pub struct Attempt {
    /// Its address.
    pub host: SocketAddr,
    /// Why it failed; `None`: it was still under way when the time was over.
    pub error: Option<AttemptError>,
}

impl Attempt {
    pub(super) fn begun(host: SocketAddr) -> Self {
        Self { host, error: None }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => write!(f, "{} ({error})", self.host),
            None => write!(f, "{} (no answer in time)", self.host),
        }
    }
}

/// Why one host did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// Plain text was asked for beyond this machine.
    #[error(transparent)]
    Plain(#[from] PlainBeyondLoopback),
    /// The calling app has no certificate.
    #[error("the calling app has no certificate")]
    NoCertificate,
    /// No connection: refused, unreachable.
    #[error("{}", io_text(.0))]
    Connect(io::Error),
    /// No connection in time.
    #[error("no connection within the time")]
    ConnectTimeout,
    /// The host's certificate is not accepted here.
    #[error("{0}")]
    Peer(PeerError),
    /// The host does not accept us.
    #[error("{0}")]
    RefusedByPeer(&'static str),
    /// The handshake failed otherwise.
    #[error("handshake: {}", io_text(.0))]
    Handshake(io::Error),
    /// The handshake took too long: a host that hangs.
    #[error("no handshake within the time")]
    HandshakeTimeout,
    /// The host does not have the app: the registry is out of date.
    #[error("it does not have the app any more")]
    NoSuchApp,
    /// The host is about to stop.
    #[error("it is about to stop")]
    Draining,
    /// The host took the request for one of another app.
    #[error("it took the request for one of another app")]
    Misdirected,
    /// The connection ended before the request was taken up.
    #[error("the connection ended before the request was taken up")]
    Untaken,
    /// The connection ended while the request was under way.
    #[error("the connection ended while the request was under way: {0}")]
    Broken(String),
}

impl AttemptError {
    /// Whether the app may have seen the request.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Broken(_) => Delivery::Perhaps,
            _ => Delivery::Undelivered,
        }
    }

    /// The value of the label `reason`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Plain(_) => "plain_text",
            Self::NoCertificate => "no_own_certificate",
            Self::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                "connection_refused"
            }
            Self::Connect(_) => "unreachable",
            Self::ConnectTimeout => "connect_timeout",
            Self::Peer(error) => error.reason(),
            Self::RefusedByPeer(_) => "refused_by_peer",
            Self::Handshake(_) => "handshake",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::NoSuchApp => "no_such_app",
            Self::Draining => "draining",
            Self::Misdirected => "misdirected",
            Self::Untaken => "connection_ended",
            Self::Broken(_) => "connection_broken",
        }
    }
}

/// Without the number of the system's error, which says nothing more.
fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        _ => error.to_string(),
    }
}

/// What ended a call that brought no answer of the app.
#[derive(Debug)]
pub enum Cause {
    /// Every host that was tried failed, or one failed in a way that forbids another attempt.
    Hosts,
    /// The caller's deadline.
    Deadline,
    /// It did not come to an attempt: no host, no resolver, a request that does not travel.
    Unsent(InvokeError),
    /// The app's host answered for it.
    Refused(InvokeError),
}

/// A call that brought no answer of the app.
#[derive(Debug)]
pub struct CallFailure {
    /// The app that was called.
    pub target: Target,
    /// The hosts that were tried, in order, without one that refused in the app's name.
    pub tried: Vec<Attempt>,
    /// What ended the call.
    pub cause: Cause,
}

impl CallFailure {
    /// Whether an app may have seen the request: only what is `Undelivered` may be sent again unasked.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        let is_safe = |attempt: &Attempt| {
            let error = attempt.error.as_ref();
            error.is_some_and(|error| error.delivery() == Delivery::Undelivered)
        };
        let by_host = self.tried.iter().all(is_safe);
        let by_app = match &self.cause {
            Cause::Hosts | Cause::Deadline | Cause::Unsent(_) => true,
            // These are said before an app is asked.
            Cause::Refused(error) => matches!(
                error,
                InvokeError::NotFound(_) | InvokeError::Denied(_) | InvokeError::Undelivered(_)
            ),
        };
        if by_host && by_app {
            Delivery::Undelivered
        } else {
            Delivery::Perhaps
        }
    }

    /// The value of the label `outcome`.
    pub(super) fn outcome(&self) -> &'static str {
        match (&self.cause, self.delivery()) {
            (Cause::Deadline, _) => "timeout",
            (Cause::Unsent(InvokeError::NotFound(_)), _) => "not_found",
            (Cause::Unsent(_), _) => "unsent",
            (Cause::Refused(_), _) => "refused",
            (Cause::Hosts, Delivery::Undelivered) => "undelivered",
            (Cause::Hosts, Delivery::Perhaps) => "broken",
        }
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let app = &self.target.app;
        match &self.cause {
            Cause::Unsent(error) | Cause::Refused(error) => write!(f, "{error}")?,
            Cause::Deadline => write!(
                f,
                "app \"{app}\" had no answer before the deadline of the call"
            )?,
            Cause::Hosts => write!(f, "app \"{app}\" could not be reached")?,
        }
        for (place, attempt) in self.tried.iter().enumerate() {
            let lead = if place == 0 { ": tried " } else { ", " };
            write!(f, "{lead}{attempt}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CallFailure {}

impl From<CallFailure> for InvokeError {
    fn from(failure: CallFailure) -> Self {
        let text = failure.to_string();
        let delivery = failure.delivery();
        match failure.cause {
            Cause::Hosts if delivery == Delivery::Undelivered => Self::Undelivered(text),
            Cause::Hosts => Self::Unavailable(text),
            Cause::Deadline => Self::Timeout(text),
            Cause::Unsent(error) | Cause::Refused(error) => match error {
                Self::NotFound(_) => Self::NotFound(text),
                Self::Denied(_) => Self::Denied(text),
                Self::Invalid(_) => Self::Invalid(text),
                Self::Undelivered(_) => Self::Undelivered(text),
                Self::Unavailable(_) => Self::Unavailable(text),
                Self::Timeout(_) => Self::Timeout(text),
                Self::TooLarge(_) => Self::TooLarge(text),
                Self::Other(_) => Self::Other(text),
            },
        }
    }
}
