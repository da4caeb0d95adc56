//! Why a guest was not built.

use std::fmt;

/// Why a guest was not built.
#[derive(Debug)]
pub enum Error {
    /// The compiler has written what is wrong.
    Compiler {
        /// Which tool it was.
        tool: &'static str,
    },
    /// The project, or the machine, must be changed.
    Wrong {
        /// What is wrong, and where.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The machine said no.
    Other(anyhow::Error),
}

impl Error {
    /// Something to mend, and how.
    pub(crate) fn wrong(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Wrong {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiler { tool } => write!(f, "the guest was not built: see what {tool} says"),
            Self::Wrong { message, .. } => f.write_str(message),
            Self::Other(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}
