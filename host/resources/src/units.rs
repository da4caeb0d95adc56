//! Values with a unit or a rule of their own.

use crate::{duration::scaled, node::quote};
use std::{fmt, str::FromStr};

/// A number of bytes. Parses Kubernetes' quantities: `64Mi`, `1Gi`, `500k`, `1048576`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// Mebibytes.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// Kibibytes.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }
}

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a size such as `64Mi`, found {}{}", quote(.text), .meant.map_or_else(String::new, |unit| format!(" (did you mean `{unit}`?)")))]
pub struct InvalidSize {
    text: String,
    /// The unit that was probably meant.
    meant: Option<&'static str>,
}

impl FromStr for ByteSize {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        let split = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (digits, suffix) = text.split_at(split);
        let bytes = factor(suffix)
            .and_then(|factor| scaled(digits, factor))
            .and_then(|bytes| u64::try_from(bytes).ok());
        let meant = if digits.is_empty() {
            None
        } else {
            meant(suffix)
        };
        bytes.map(Self).ok_or_else(|| InvalidSize {
            text: text.to_owned(),
            meant,
        })
    }
}

fn factor(suffix: &str) -> Option<u128> {
    Some(match suffix {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        "E" => 1_000_000_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        "Ei" => 1 << 60,
        _ => return None,
    })
}

/// The unit behind a common other spelling, such as `MB` or `mib`.
fn meant(suffix: &str) -> Option<&'static str> {
    match suffix.trim().to_ascii_lowercase().as_str() {
        "k" | "kb" | "ki" | "kib" => Some("Ki"),
        "m" | "mb" | "mi" | "mib" => Some("Mi"),
        "g" | "gb" | "gi" | "gib" => Some("Gi"),
        _ => None,
    }
}

/// Whether Dapr takes a text for true: `y`, `yes`, `true`, `t`, `on`, `1`, in any case.
#[must_use]
pub fn is_truthy(text: &str) -> bool {
    const TRUE: [&str; 6] = ["y", "yes", "true", "t", "on", "1"];
    TRUE.iter()
        .any(|word| word.eq_ignore_ascii_case(text.trim()))
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")];
        match UNITS
            .iter()
            .find(|(size, _)| self.0 > 0 && self.0.is_multiple_of(*size))
        {
            Some((size, unit)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A text that never appears in a log, an error or a debug print.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text. Call it only where the value is used.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        let cases = [
            ("64Mi", 64 << 20),
            ("1.5Gi", 3 << 29),
            ("500k", 500_000),
            ("1048576", 1 << 20),
            ("0", 0),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn other_spellings_are_told_the_right_one() {
        let error = |text: &str| text.parse::<ByteSize>().unwrap_err().to_string();
        assert_eq!(
            error("64MB"),
            "expected a size such as `64Mi`, found `64MB` (did you mean `Mi`?)"
        );
        for text in ["", "Mi", "x", "-1", "1e3", "99999999Ei", "1.2.3"] {
            assert_eq!(
                error(text),
                format!("expected a size such as `64Mi`, found `{text}`")
            );
        }
    }

    #[test]
    fn sizes_print_in_the_unit_that_divides_them() {
        assert_eq!(ByteSize::mib(64).to_string(), "64Mi");
        assert_eq!(ByteSize(1000).to_string(), "1000");
    }
}
