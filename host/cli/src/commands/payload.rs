//! The payload of a call or a message, from the command line or a file.

use crate::{args::DataArgs, failure::Failure};
use anyhow::Context;
use std::{io::Read, path::Path};

/// Bytes and their media type.
#[derive(Debug, PartialEq, Eq)]
pub struct Payload {
    pub data: Vec<u8>,
    pub content_type: &'static str,
}

/// Reads the payload; `None` if there is none.
pub fn read(args: &DataArgs) -> Result<Option<Payload>, Failure> {
    let data = match (&args.data, &args.data_file) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(path)) => read_file(path).map_err(Failure::input)?,
        (None, None) => return Ok(None),
    };
    let content_type = content_type(&data);
    Ok(Some(Payload { data, content_type }))
}

fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path != Path::new("-") {
        return std::fs::read(path).with_context(|| format!("reading {}", path.display()));
    }
    let mut data = Vec::new();
    let reading = std::io::stdin().lock().read_to_end(&mut data);
    reading.context("reading standard input")?;
    Ok(data)
}

/// What the bytes are, as far as one can see.
fn content_type(data: &[u8]) -> &'static str {
    if serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok() {
        "application/json"
    } else if std::str::from_utf8(data).is_ok() {
        "text/plain"
    } else {
        "application/octet-stream"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_follows_the_content() {
        assert_eq!(content_type(br#"{"a": 1}"#), "application/json");
        assert_eq!(content_type(b"hello"), "text/plain");
        assert_eq!(content_type(&[0xff, 0x00]), "application/octet-stream");
    }
}
