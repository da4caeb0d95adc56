//! Opening a connection: pragmas, and the check that the file is a healthy database.

use super::{Journal, Location, Options, Synchronous};
use rusqlite::{Connection, OpenFlags, config::DbConfig};

/// Pages of log after which a commit moves them into the file: 16 MiB.
const CHECKPOINT_PAGES: u32 = 4_000;

/// What stays of the log file after it was moved, in bytes.
const JOURNAL_BYTES_MAX: u32 = 64 << 20;

/// Page cache of the writer, in KiB.
const WRITER_CACHE_KIB: u32 = 16 << 10;

/// Prepared statements kept per connection.
const STATEMENTS: usize = 128;

/// A file of at most this size is checked page by page when it is opened.
const CHECKED_BYTES_MAX: u64 = 16 << 20;

/// Opens the connection that writes, after a look at the file's health.
pub(super) fn open_checked(
    location: &Location,
    options: &Options,
) -> Result<Connection, rusqlite::Error> {
    let connection = open(location, options)?;
    let journal = match (location, options.journal) {
        (Location::Memory(_), _) => "MEMORY",
        (Location::File(_), Journal::Wal) => "WAL",
        (Location::File(_), Journal::Delete) => "DELETE",
    };
    let synchronous = match options.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    connection.pragma_update(None, "journal_mode", journal)?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES_MAX)?;
    connection.pragma_update(None, "cache_size", -i64::from(WRITER_CACHE_KIB))?;
    check_writable(&connection)?;
    if let Location::File(path) = location
        && std::fs::metadata(path).is_ok_and(|file| file.len() <= CHECKED_BYTES_MAX)
    {
        check_pages(&connection)?;
    }
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(
    location: &Location,
    options: &Options,
) -> Result<Connection, rusqlite::Error> {
    let connection = open(location, options)?;
    connection.pragma_update(None, "query_only", true)?;
    // The first read opens the log: now, and not when the host may be out of files.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn open(location: &Location, options: &Options) -> Result<Connection, rusqlite::Error> {
    let connection = match location {
        Location::File(path) => {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(path, flags)?
        }
        Location::Memory(_) => Connection::open_in_memory()?,
    };
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A statement is compiled once. Else SQLite compiles it again whenever other values are bound on which a better plan
    // might depend, which took half of the time of a read.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// A file or directory without write permission shows here and not at the first guest's call.
fn check_writable(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")
}

fn check_pages(connection: &Connection) -> Result<(), rusqlite::Error> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(code, Some(verdict)))
}
