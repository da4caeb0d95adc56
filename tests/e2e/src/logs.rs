//! Log records of a host: one JSON object per line.

use serde_json::Value;
use std::{fs, path::Path};

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record(Value);

impl Record {
    /// A field as text; empty if it is absent.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        self.get("msg")
    }

    /// The records of a file. Lines that are none, such as one that is being written, are left out.
    pub(crate) fn read(path: &Path) -> Vec<Self> {
        let text = fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&text)
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(Value::is_object)
            .map(Self)
            .collect()
    }
}
