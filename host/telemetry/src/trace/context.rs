//! The identity of a span: W3C trace context, the `traceparent` header, version 00.

use rand::{RngExt, rngs::SmallRng};
use std::{borrow::Cow, cell::RefCell, fmt, str::FromStr};

thread_local! {
    /// Identifiers must differ, not be hard to guess: every request that brings none gets a trace, every span an ID.
    static RANDOM: RefCell<SmallRng> = RefCell::new(rand::make_rng());
}

/// Which span of which trace, and whether it is recorded: `00-<trace id>-<span id>-<flags>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

/// The lowest bit of the flags: whoever is called should record, since the caller does.
const SAMPLED: u8 = 1;

/// The text is not a `traceparent` that this version understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSpanContext;

impl SpanContext {
    /// Length of the text form.
    pub const TEXT_LEN: usize = 55;

    /// A new trace, marked as sampled, so that a tracer further down keeps it.
    #[must_use]
    pub fn generate() -> Self {
        let (mut trace_id, mut span_id): ([u8; 16], [u8; 8]) =
            RANDOM.with_borrow_mut(|random| (random.random(), random.random()));
        // A zero ID means "none" in the standard; setting one bit rules it out.
        trace_id[15] |= 1;
        span_id[7] |= 1;
        Self {
            trace_id,
            span_id,
            flags: SAMPLED,
        }
    }

    /// Another span of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut span_id: [u8; 8] = RANDOM.with_borrow_mut(RngExt::random);
        span_id[7] |= 1;
        Self { span_id, ..*self }
    }

    /// A span of the same trace whose ID follows from `seed`: whoever knows both can name it, in any process.
    #[must_use]
    pub fn child_of_seed(&self, seed: [u8; 8]) -> Self {
        let mut span_id = seed;
        span_id[7] |= 1;
        Self { span_id, ..*self }
    }

    /// The same span with another word on whether it is recorded.
    #[must_use]
    pub fn with_sampled(self, sampled: bool) -> Self {
        let flags = if sampled {
            self.flags | SAMPLED
        } else {
            self.flags & !SAMPLED
        };
        Self { flags, ..self }
    }

    /// Whether it is recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The bytes of the trace ID.
    #[must_use]
    pub fn trace_id_bytes(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The bytes of the span ID.
    #[must_use]
    pub fn span_id_bytes(&self) -> [u8; 8] {
        self.span_id
    }

    /// The trace ID in hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        hex(&self.trace_id)
    }

    /// The span ID in hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> String {
        hex(&self.span_id)
    }

    /// Reads the value of a `traceparent` header. A later version than 00 is valid if it begins like version 00, as the
    /// standard asks.
    #[must_use]
    pub fn from_header(value: &[u8]) -> Option<Self> {
        parse(value)
    }

    /// The text form as bytes, for a header value.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::TEXT_LEN] {
        let mut text = [b'-'; Self::TEXT_LEN];
        text[..2].copy_from_slice(b"00");
        write_hex(&self.trace_id, &mut text[3..35]);
        write_hex(&self.span_id, &mut text[36..52]);
        write_hex(&[self.flags], &mut text[53..]);
        text
    }
}

impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&self.to_bytes()))
    }
}

impl FromStr for SpanContext {
    type Err = InvalidSpanContext;

    fn from_str(text: &str) -> Result<Self, InvalidSpanContext> {
        parse(text.as_bytes()).ok_or(InvalidSpanContext)
    }
}

impl fmt::Display for InvalidSpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`, lower case")
    }
}

impl std::error::Error for InvalidSpanContext {}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn hex(bytes: &[u8]) -> String {
    let mut digits = vec![0; bytes.len() * 2];
    write_hex(bytes, &mut digits);
    text(&digits).into_owned()
}

/// Digits are ASCII, so that nothing is ever replaced.
fn text(digits: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(digits)
}

fn write_hex(bytes: &[u8], text: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

fn parse(text: &[u8]) -> Option<SpanContext> {
    if text.len() < SpanContext::TEXT_LEN {
        return None;
    }
    let [version] = read_hex::<1>(&text[..2])?;
    let rest = &text[SpanContext::TEXT_LEN..];
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
    let span_id = read_hex::<8>(&text[36..52])?;
    let [flags] = read_hex::<1>(&text[53..55])?;
    if trace_id == [0; 16] || span_id == [0; 8] {
        return None;
    }
    Some(SpanContext {
        trace_id,
        span_id,
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
        let parsed: SpanContext = EXAMPLE.parse().unwrap();
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
            assert!(parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_later_version_is_read_by_its_known_beginning() {
        let later = format!("{}-what-comes-later", EXAMPLE.replacen("00", "01", 1));
        assert!(parse(later.as_bytes()).is_some());
    }

    #[test]
    fn generated_ones_are_valid_and_differ() {
        let (one, other) = (SpanContext::generate(), SpanContext::generate());
        assert_ne!(one, other);
        assert!(parse(&one.to_bytes()).is_some());
    }

    #[test]
    fn a_child_is_another_span_of_the_same_trace() {
        let parent: SpanContext = EXAMPLE.parse().unwrap();
        let child = parent.child();
        assert_eq!(child.trace_id(), parent.trace_id());
        assert_ne!(child.span_id(), parent.span_id());
        assert!(child.is_sampled());
        assert!(!child.with_sampled(false).is_sampled());
    }

    proptest! {
        #[test]
        fn no_input_panics(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&text);
        }
    }
}
