//! What goes wrong in the engine, in words that say what to do.

use super::Location;
use berth_blocks::registry::OpenError;
use rusqlite::ErrorCode;

/// What a failure of the engine means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No space is left.
    Full,
    /// The disk fails.
    Io,
    /// Another process holds the file.
    Busy,
    /// The file may not be written.
    ReadOnly,
    /// The file is damaged or no database.
    Corrupt,
    /// A value exceeds what the engine stores.
    TooLarge,
    /// The database is closed.
    Closed,
    /// Anything else: a mistake in the statement, memory.
    Other,
}

/// A failure of the engine. Nothing of the call is stored.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    /// What it means.
    pub fault: Fault,
    message: String,
}

impl EngineError {
    pub(super) fn new(fault: Fault, message: String) -> Self {
        Self { fault, message }
    }

    /// The engine's own error, with the file and the way out.
    pub(super) fn of(location: &Location, error: &rusqlite::Error) -> Self {
        let fault = fault(error);
        let message = match advice(fault) {
            Some(advice) => format!("{location}: {error}: {advice}"),
            None => format!("{location}: {error}"),
        };
        Self::new(fault, message)
    }
}

/// Why a job failed: the engine, or the job's own rule.
#[derive(Debug)]
pub enum JobError<E> {
    /// The engine refused a statement.
    Engine(rusqlite::Error),
    /// The job refuses, such as for a stale etag.
    Refused(E),
}

impl<E> From<rusqlite::Error> for JobError<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

/// A job's refusal, for use with `?` and `return`.
///
/// # Errors
/// Always the given one.
pub fn refused<T, E>(error: E) -> Result<T, JobError<E>> {
    Err(JobError::Refused(error))
}

fn fault(error: &rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Fault::Full,
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Fault::Io,
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed,
        ) => Fault::Busy,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Fault::ReadOnly,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Fault::Corrupt,
        Some(ErrorCode::TooBig) => Fault::TooLarge,
        _ => Fault::Other,
    }
}

fn advice(fault: Fault) -> Option<&'static str> {
    Some(match fault {
        Fault::Full => "free space on its volume; nothing of this call is stored",
        Fault::Io => {
            "check the disk and the permissions of the directory; nothing of this call is stored"
        }
        Fault::Busy => "another process is writing to the file; try again",
        Fault::ReadOnly => "make the file and its directory writable for this user",
        Fault::Corrupt => {
            "stop the host, then move the file away to begin empty, or restore a copy of it"
        }
        Fault::TooLarge | Fault::Closed | Fault::Other => return None,
    })
}

/// Why a file could not be opened.
pub(super) fn open_error(location: &Location, error: &rusqlite::Error) -> OpenError {
    let why = match (fault(error), location) {
        (Fault::Io | Fault::ReadOnly, Location::File(path)) => match path.parent() {
            Some(parent) if !parent.is_dir() => Some(format!(
                "directory `{}` does not exist: create it or set `connectionString`",
                parent.display()
            )),
            _ => None,
        },
        _ => None,
    };
    let why = why.unwrap_or_else(|| match advice(fault(error)) {
        Some(advice) => format!(
            "{error}: {}",
            advice.trim_end_matches("; nothing of this call is stored")
        ),
        None => error.to_string(),
    });
    OpenError::Backend(format!("opening {location}: {why}"))
}
