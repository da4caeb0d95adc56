//! Errors of the blocks, as the pipeline sees them.

use super::Outcome;
use crate::{
    invocation::InvokeError, pubsub::PubSubError, secrets::SecretError, state::StateError,
    workflow::WorkflowError,
};

/// An error of a block, as the pipeline sees it.
pub(crate) trait BlockError: std::fmt::Display {
    fn outcome(&self) -> Outcome;
    fn timeout(message: String) -> Self;
    fn unavailable(message: String) -> Self;
    /// The same failure in other words, which say what was tried. What no attempt can cure stays as it is.
    fn retold(self, message: String) -> Self;
}

/// An error of a block with backends.
pub(crate) trait BackendError: BlockError {
    /// The app sees others, but not this one.
    fn not_found(message: String) -> Self;
    /// The app sees none.
    fn not_configured(message: String) -> Self;
}

macro_rules! block_error {
    ($error:ident [$($curable:ident),*]: $($variant:ident => $outcome:ident),* $(,)?) => {
        impl BlockError for $error {
            fn outcome(&self) -> Outcome {
                match self { $(Self::$variant { .. } => Outcome::$outcome),* }
            }

            fn timeout(message: String) -> Self {
                Self::Timeout(message)
            }

            fn unavailable(message: String) -> Self {
                Self::Unavailable(message)
            }

            fn retold(self, message: String) -> Self {
                match self {
                    $(Self::$curable(_) => Self::$curable(message),)*
                    other => other,
                }
            }
        }
    };
}

macro_rules! backend_errors {
    ($($error:ident),*) => {$(
        impl BackendError for $error {
            fn not_found(message: String) -> Self {
                Self::NotFound(message)
            }

            fn not_configured(message: String) -> Self {
                Self::NotConfigured(message)
            }
        }
    )*};
}

backend_errors!(StateError, PubSubError, SecretError);
block_error!(StateError [Unavailable, Timeout]:
    NotConfigured => NotFound, NotFound => NotFound, Conflict => Conflict, Denied => Denied, Invalid => Invalid,
    InvalidEtag => Invalid, IllegalKey => Invalid, Unsupported => Unsupported, Unavailable => Unavailable,
    Timeout => Timeout, TooLarge => TooLarge, TooManyOperations => TooLarge, Other => Other);
block_error!(PubSubError [Unavailable, Timeout]:
    NotConfigured => NotFound, NotFound => NotFound, Denied => Denied, Invalid => Invalid,
    InvalidMetadata => Invalid, InvalidEvent => Invalid, InvalidEntry => Invalid, Unsupported => Unsupported,
    Unavailable => Unavailable, Timeout => Timeout, TooLarge => TooLarge, Other => Other);
block_error!(SecretError [Unavailable, Timeout]:
    NotConfigured => NotFound, NotFound => NotFound, Denied => Denied, Invalid => Invalid,
    Unavailable => Unavailable, Timeout => Timeout, Other => Other);
block_error!(WorkflowError [Unavailable, Timeout]:
    NotFound => NotFound, Exists => Conflict, Denied => Denied, Invalid => Invalid, NotAllowed => Conflict,
    TooLarge => TooLarge, Unavailable => Unavailable, Timeout => Timeout);
block_error!(InvokeError [Undelivered, Unavailable, Timeout]:
    NotFound => NotFound, Denied => Denied, Invalid => Invalid, Undelivered => Unavailable,
    Unavailable => Unavailable, Timeout => Timeout, TooLarge => TooLarge, Other => Other);
