//! Where a database is: `connectionString` in Dapr's words.

use berth_blocks::registry::{OpenContext, OpenError};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Name of the file that embedded drivers share when no other is given.
const DEFAULT_FILE: &str = "berth.db";

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file, by absolute path.
    File(PathBuf),
    /// In memory, under the name of its backend; gone when the backend closes.
    Memory(String),
}

impl Location {
    /// Reads `connectionString`: a path relative to the working directory, a `file:` URI or `:memory:`. Absent: the
    /// file that all embedded backends of the namespace share.
    ///
    /// # Errors
    /// The text is no location, or asks for what the engine does not do.
    pub fn parse(
        connection_string: Option<&str>,
        context: &OpenContext,
    ) -> Result<Self, OpenError> {
        let Some(text) = connection_string.map(str::trim) else {
            return absolute(&context.data_dir.join(DEFAULT_FILE));
        };
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let memory = parameters(query)?;
        let path = match path.get(..5) {
            Some(scheme) if scheme.eq_ignore_ascii_case("file:") => uri_path(&path[5..])?,
            _ => path.to_owned(),
        };
        if memory || path.eq_ignore_ascii_case(":memory:") {
            return Ok(Self::Memory(format!(
                "{}/{}",
                context.namespace, context.name
            )));
        }
        if path.is_empty() {
            return Err(wrong("empty: expected a path, a `file:` URI or `:memory:`"));
        }
        absolute(Path::new(&path))
    }

    /// The same for every way to write the same place, so that backends of one host share it.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Memory(name) => format!("sqlite:memory:{name}"),
            Self::File(path) => {
                let real = path.canonicalize().ok().or_else(|| {
                    let parent = path.parent()?.canonicalize().ok()?;
                    Some(parent.join(path.file_name()?))
                });
                format!("sqlite:{}", real.as_ref().unwrap_or(path).display())
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "database `{}`", path.display()),
            Self::Memory(name) => write!(f, "in-memory database of `{name}`"),
        }
    }
}

fn absolute(path: &Path) -> Result<Location, OpenError> {
    std::path::absolute(path)
        .map(Location::File)
        .map_err(|error| wrong(&format!("`{}`: {error}", path.display())))
}

/// Looks through the parameters of a connection string; true if they ask for memory.
fn parameters(query: &str) -> Result<bool, OpenError> {
    let mut memory = false;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=').unwrap_or((parameter, "")) {
            ("mode", "memory") => memory = true,
            // What the engine does anyway.
            ("mode", "rw" | "rwc") | ("cache", _) | ("_txlock", "immediate") => {}
            (name, _) => {
                return Err(wrong(&format!(
                    "parameter `{name}` of `{parameter}` is not supported: the fields `busyTimeout`, `disableWAL` and \
                     `synchronous` set what can be set"
                )));
            }
        }
    }
    Ok(memory)
}

/// The path of a `file:` URI, after the scheme.
fn uri_path(rest: &str) -> Result<String, OpenError> {
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(authority) => {
            let (host, _) = authority.split_once('/').unwrap_or((authority, ""));
            if !host.is_empty() && host != "localhost" {
                return Err(wrong(&format!(
                    "`file://{host}`: the file must be on this machine"
                )));
            }
            &authority[host.len()..]
        }
    };
    percent_decoded(path).ok_or_else(|| wrong(&format!("`{path}`: wrong percent escape")))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

fn wrong(message: &str) -> OpenError {
    OpenError::Metadata {
        field: "connectionString".to_owned(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: Option<&str>) -> String {
        let mut context = crate::scratch::context("/data".as_ref());
        context.name = "orders".to_owned();
        match Location::parse(text, &context) {
            Ok(location) => location.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn connection_strings_are_paths_uris_or_memory() {
        let here = std::env::current_dir().unwrap();
        let here = here.display();
        assert_eq!(parse(None), "database `/data/berth.db`");
        assert_eq!(
            parse(Some("state.db")),
            format!("database `{here}/state.db`")
        );
        assert_eq!(
            parse(Some("file:state.db?cache=shared")),
            format!("database `{here}/state.db`")
        );
        assert_eq!(
            parse(Some("file:///var/a%20b.db?mode=rwc")),
            "database `/var/a b.db`"
        );
        assert_eq!(
            parse(Some("FILE://localhost/var/a.db")),
            "database `/var/a.db`"
        );
        for memory in [
            ":memory:",
            "file::memory:?cache=shared",
            "file:x?mode=memory",
        ] {
            assert_eq!(
                parse(Some(memory)),
                "in-memory database of `default/orders`"
            );
        }
    }

    #[test]
    fn what_the_engine_cannot_do_is_refused() {
        let refused = [
            "",
            "file:x?mode=ro",
            "file:x?_pragma=busy_timeout(1)",
            "file://server/x",
            "file:%zz",
        ];
        assert_eq!(
            refused.map(|text| parse(Some(text)).replace("metadata `connectionString`: ", "")),
            [
                "empty: expected a path, a `file:` URI or `:memory:`",
                "parameter `mode` of `mode=ro` is not supported: the fields `busyTimeout`, `disableWAL` and \
                 `synchronous` set what can be set",
                "parameter `_pragma` of `_pragma=busy_timeout(1)` is not supported: the fields `busyTimeout`, \
                 `disableWAL` and `synchronous` set what can be set",
                "`file://server`: the file must be on this machine",
                "`%zz`: wrong percent escape",
            ]
        );
    }

    #[test]
    fn one_place_has_one_identity() {
        let scratch = crate::scratch::Scratch::new();
        let folder = scratch.path().canonicalize().unwrap();
        let file = folder.join("a.db");
        let plain = Location::File(file.clone()).identity();
        std::fs::create_dir(folder.join("sub")).unwrap();
        assert_eq!(Location::File(folder.join("sub/../a.db")).identity(), plain);
        std::fs::write(&file, "").unwrap();
        assert_eq!(Location::File(file.clone()).identity(), plain);
        std::os::unix::fs::symlink(&file, folder.join("link.db")).unwrap();
        assert_eq!(Location::File(folder.join("link.db")).identity(), plain);
    }
}
