//! W3C trace context: the `traceparent` header, version 00.

use rand::{RngExt, rngs::SmallRng};
use std::{cell::RefCell, fmt, str::FromStr};

thread_local! {
    /// Identifiers must differ, not be hard to guess: every request that brings none gets a trace.
    static RANDOM: RefCell<SmallRng> = RefCell::new(rand::make_rng());
}

/// Identity of a request across processes: `00-<trace id>-<parent id>-<flags>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
}

/// The text is not a `traceparent` that this version understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTraceparent;

impl Traceparent {
    /// Length of the text form.
    pub const TEXT_LEN: usize = 55;

    /// A new trace, marked as sampled, so that a tracer further down keeps it.
    #[must_use]
    pub fn generate() -> Self {
        let (mut trace_id, mut parent_id): ([u8; 16], [u8; 8]) =
            RANDOM.with_borrow_mut(|random| (random.random(), random.random()));
        // A zero ID means "none" in the standard; setting one bit rules it out.
        trace_id[15] |= 1;
        parent_id[7] |= 1;
        Self {
            trace_id,
            parent_id,
            flags: 1,
        }
    }

    /// The trace ID in hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        hex(&self.trace_id)
    }

    /// The text form as bytes, for a header value.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::TEXT_LEN] {
        let mut text = [b'-'; Self::TEXT_LEN];
        text[..2].copy_from_slice(b"00");
        write_hex(&self.trace_id, &mut text[3..35]);
        write_hex(&self.parent_id, &mut text[36..52]);
        write_hex(&[self.flags], &mut text[53..]);
        text
    }

    /// Whether a text is a valid `traceparent`, without building one. A later version than 00 is valid if it begins
    /// like version 00, as the standard asks.
    #[must_use]
    pub fn is_valid(text: &[u8]) -> bool {
        parse(text).is_some()
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, parent) = (hex(&self.trace_id), hex(&self.parent_id));
        write!(f, "00-{trace}-{parent}-{:02x}", self.flags)
    }
}

impl FromStr for Traceparent {
    type Err = InvalidTraceparent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceparent> {
        parse(text.as_bytes()).ok_or(InvalidTraceparent)
    }
}

impl fmt::Display for InvalidTraceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`, lower case")
    }
}

impl std::error::Error for InvalidTraceparent {}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_hex(bytes: &[u8], text: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

fn parse(text: &[u8]) -> Option<Traceparent> {
    if text.len() < Traceparent::TEXT_LEN {
        return None;
    }
    let [version] = read_hex::<1>(&text[..2])?;
    let rest = &text[Traceparent::TEXT_LEN..];
    let length_fits = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.is_empty() || rest[0] == b'-',
    };
    let dashes = [2, 35, 52].iter().all(|&at| text[at] == b'-');
    if !length_fits || !dashes {
        return None;
    }
    let trace_id = read_hex::<16>(&text[3..35])?;
    let parent_id = read_hex::<8>(&text[36..52])?;
    let [flags] = read_hex::<1>(&text[53..55])?;
    if trace_id == [0; 16] || parent_id == [0; 8] {
        return None;
    }
    Some(Traceparent {
        trace_id,
        parent_id,
        flags,
    })
}

fn read_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// The standard allows lower case only.
fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_standard_survives_a_round_trip() {
        let parsed: Traceparent = EXAMPLE.parse().unwrap();
        assert_eq!(parsed.to_string(), EXAMPLE);
        assert_eq!(parsed.to_bytes(), EXAMPLE.as_bytes());
        assert_eq!(parsed.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn what_the_standard_calls_invalid_is_refused() {
        let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let zero_parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16));
        for text in [
            "",
            "garbage",
            &EXAMPLE.to_uppercase(),
            &EXAMPLE.replacen("00", "ff", 1),
            &format!("{EXAMPLE}-extra"),
            &zero_trace,
            &zero_parent,
        ] {
            assert!(!Traceparent::is_valid(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_later_version_is_read_by_its_known_beginning() {
        let later = format!("{}-what-comes-later", EXAMPLE.replacen("00", "01", 1));
        assert!(Traceparent::is_valid(later.as_bytes()));
    }

    #[test]
    fn generated_ones_are_valid_and_differ() {
        let (one, other) = (Traceparent::generate(), Traceparent::generate());
        assert_ne!(one, other);
        assert!(Traceparent::is_valid(&one.to_bytes()));
    }

    proptest! {
        #[test]
        fn no_input_panics(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Traceparent::is_valid(&text);
        }
    }
}
