//! Where something stands, and what is wrong with it.

use serde::{Serialize, Serializer};
use std::{fmt, path::Path, sync::Arc};

/// A place in a file: line and column count from 1. Line 0: the file as a whole, or no file (`<defaults>`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Origin {
    /// The file, as the user named it.
    #[serde(serialize_with = "display_path")]
    pub file: Arc<Path>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl Origin {
    /// The origin of resources that berth provides where the user gave none.
    #[must_use]
    pub fn defaults() -> Self {
        Self {
            file: Path::new("<defaults>").into(),
            line: 0,
            column: 0,
        }
    }

    /// A whole file.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self {
            file: path.into(),
            line: 0,
            column: 0,
        }
    }
}

/// A path that is not Unicode must not make a report fail.
fn display_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)
        } else {
            Ok(())
        }
    }
}

/// Whether a finding stops the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing runs until it is mended.
    Error,
    /// Accepted, but not what the user may think.
    Warning,
}

/// One finding about a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Diagnostic {
    /// Where.
    pub origin: Origin,
    /// How bad.
    pub severity: Severity,
    /// What is wrong and what was expected, one line, lower case, no full stop.
    pub message: String,
    /// What to do, if that is known: a line of its own.
    pub hint: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}: {severity}: {}", self.origin, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}
