//! Names that identify apps and tenants.

use std::{fmt, path::Path, str::FromStr, sync::Arc};

/// Why a text is not a name: says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: expected {expected}")]
pub struct InvalidName {
    /// What was meant to be named, such as `app ID`.
    pub what: &'static str,
    /// The text as given.
    pub text: String,
    /// The form that was expected.
    pub expected: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                if is_name(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName { what: $what, text: text.to_owned(), expected: EXPECTED })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name!(
    /// The identity of an app within its namespace: `metadata.name` of its App document.
    AppId,
    "app ID"
);
name!(
    /// The tenant boundary: apps see only what is in their own namespace.
    Namespace,
    "namespace"
);

const EXPECTED: &str =
    "1 to 63 letters, digits, `-` or `_`, beginning and ending with a letter or digit";

/// Kubernetes' label rule without the dot, which separates app ID and namespace in `app.namespace`.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    (1..=63).contains(&text.len())
        && text.chars().all(inner)
        && edge(text.chars().next())
        && edge(text.chars().last())
}

impl AppId {
    /// The ID of a guest that no document names: `target/order_service.wasm` is app `order_service`, and what cannot stand
    /// in an app ID becomes `-`.
    #[must_use]
    pub fn of_file(path: &Path) -> Option<Self> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let allowed = |c: char| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        };
        let name: String = stem.chars().map(allowed).collect();
        let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        name.parse().ok()
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("default".into())
    }
}
