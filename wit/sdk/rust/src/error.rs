//! Why a call of a block failed.

use crate::bindings::imports::berth::{
    invocation::invoker, pubsub::types as pubsub, secrets::store as secrets, state::store as state,
    workflow::client as workflow,
};
use std::fmt;

/// Why a call failed: the kind says what the program can do, the message says what happened, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
}

/// What a program can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// There is no such store, topic, app, secret or instance, or it is not visible to this app.
    NotFound,
    /// The etag is stale, or the key is there already. Read again, then decide.
    Conflict,
    /// The instance ID is taken.
    Exists,
    /// A scope or policy forbids it. Another attempt will not help.
    Denied,
    /// The request is wrong.
    Invalid,
    /// The instance is not in a state that allows this.
    NotAllowed,
    /// The other side cannot be reached or is overloaded. Another attempt may help.
    Unavailable,
    /// There was no answer in time. Whether it happened is unknown.
    Timeout,
    /// A limit is exceeded; the message gives both sizes.
    TooLarge,
    /// What came is not what the program reads it as, or what it sends cannot be written.
    Malformed,
    /// Anything else.
    Other,
}

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the program's own.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn malformed(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::new(Kind::Malformed, format!("{what}: {error}"))
    }

    /// What the program can do.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether another attempt may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::Timeout)
    }
}

impl Kind {
    /// A short name, as in `not-found`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Exists => "exists",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::NotAllowed => "not-allowed",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Error {}

/// The cases of a block's own error, which say the same.
macro_rules! from_wit {
    ($($block:ident: $($kind:ident)*;)*) => {$(
        impl From<$block::Error> for Error {
            fn from(error: $block::Error) -> Self {
                match error {
                    $($block::Error::$kind(message) => Self::new(Kind::$kind, message),)*
                }
            }
        }
    )*};
}

from_wit! {
    state: NotFound Conflict Denied Invalid Unavailable Timeout TooLarge Other;
    pubsub: NotFound Denied Invalid Unavailable Timeout TooLarge Other;
    invoker: NotFound Denied Invalid Unavailable Timeout TooLarge Other;
    secrets: NotFound Denied Invalid Unavailable Timeout TooLarge Other;
    workflow: NotFound Exists Denied Invalid NotAllowed Unavailable Timeout TooLarge Other;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_block_keeps_its_kind_and_text() {
        let error = Error::from(state::Error::Conflict("etag 1, not 0".to_owned()));
        assert_eq!(error.kind(), Kind::Conflict);
        assert_eq!(error.to_string(), "conflict: etag 1, not 0");
        assert!(!error.is_transient());
        assert!(Error::from(invoker::Error::Timeout(String::new())).is_transient());
    }
}
