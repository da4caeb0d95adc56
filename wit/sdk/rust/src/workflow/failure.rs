//! Why an activity or a workflow failed.

use super::{Error, Failure};
use crate::Kind;

impl Failure {
    /// A failure that another attempt may cure. Retry policies match the kind.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            message: message.into(),
            non_retryable: false,
        }
    }

    /// The same, but another attempt cannot help.
    #[must_use]
    pub fn last(mut self) -> Self {
        self.non_retryable = true;
        self
    }

    pub(super) fn unknown(what: &str, name: &str) -> Self {
        Self::new("not-found", format!("this guest has no {what} `{name}`")).last()
    }
}

/// What an activity met. What is wrong with a call stays wrong; everything else may pass.
impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        let failure = Self::new(error.kind().as_str(), error.message());
        match error.kind() {
            Kind::Denied | Kind::Invalid | Kind::Malformed | Kind::TooLarge => failure.last(),
            _ => failure,
        }
    }
}

/// What a workflow met, and does not handle.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let told = |kind: &str, message| Self::new(kind, message).last();
        match error {
            Error::Failed(failure) => failure,
            Error::Timeout(message) => told("timeout", message),
            Error::Canceled(message) => told("canceled", message),
            Error::Invalid(message) => told("invalid", message),
            Error::TooLarge(message) => told("too-large", message),
            Error::Other(message) => told("other", message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_attempt_may_cure_is_told_apart() {
        let last = |kind| Failure::from(crate::Error::new(kind, "")).non_retryable;
        assert!(last(Kind::Invalid) && last(Kind::Denied));
        assert!(!last(Kind::Unavailable) && !last(Kind::Conflict));
    }

    #[test]
    fn the_failure_of_an_activity_is_kept() {
        let failure = Failure::from(Error::Failed(Failure::new("out-of-stock", "no tea")));
        assert_eq!(failure.kind, "out-of-stock");
        assert!(!failure.non_retryable);
    }
}
