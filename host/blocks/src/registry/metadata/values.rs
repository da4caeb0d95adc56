//! Types for values that have a form of their own.

use berth_resources::{ByteSize, Secret, is_truthy, parse_duration};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// Reads a boolean: what Dapr takes for true, and the opposites of those words.
#[must_use]
pub fn truthy(text: &str) -> Option<bool> {
    const FALSE: [&str; 7] = ["n", "no", "false", "f", "off", "0", ""];
    let is_false = || {
        FALSE
            .iter()
            .any(|word| word.eq_ignore_ascii_case(text.trim()))
    };
    if is_truthy(text) {
        Some(true)
    } else {
        is_false().then_some(false)
    }
}

/// A duration such as `500ms`, `1m30s`, `2h`. A bare number counts units of `bare`.
///
/// # Errors
/// What was expected, if the text is no duration.
pub fn duration(text: &str, bare: Duration) -> Result<Duration, String> {
    let text = text.trim();
    match text.parse::<u32>() {
        Ok(count) => bare
            .checked_mul(count)
            .ok_or_else(|| format!("`{text}` is too long a duration")),
        Err(_) => parse_duration(text),
    }
}

macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident($inner:ty), $what:literal, $read:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let read: fn(String) -> Result<$inner, String> = $read;
                read(text).map(Self).map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": $what })
            }
        }
    };
}

text_value!(
    /// A duration; a bare number counts seconds.
    DurationOrSeconds(Duration),
    "duration",
    |text| duration(&text, Duration::from_secs(1))
);
text_value!(
    /// A duration; a bare number counts milliseconds.
    DurationOrMillis(Duration),
    "duration",
    |text| duration(&text, Duration::from_millis(1))
);
text_value!(
    /// A number of bytes.
    Size(u64),
    "size",
    |text| text.trim().parse().map(|ByteSize(bytes)| bytes).map_err(|error| format!("{error}"))
);
text_value!(
    /// A value that is never shown.
    Confidential(Secret),
    "secret",
    |text| Ok(Secret::new(text))
);
