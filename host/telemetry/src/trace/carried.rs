//! What travels with a trace besides its identity.

use super::SpanContext;
use std::sync::Arc;

/// Bytes of `tracestate` and its members, as the standard has it: longer ones are dropped as a whole.
const STATE_BYTES_MAX: usize = 512;
const STATE_MEMBERS_MAX: usize = 32;
/// The same for `baggage`.
const BAGGAGE_BYTES_MAX: usize = 8192;
const BAGGAGE_MEMBERS_MAX: usize = 64;

/// `tracestate` and `baggage` as they were received, or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// Of other tracers.
    pub state: String,
    /// Of the application.
    pub baggage: String,
}

/// Where a request or a message says that it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The span that sent it.
    pub context: Option<SpanContext>,
    /// What came with it.
    pub carried: Option<Arc<Carried>>,
}

impl Origin {
    /// Reads texts in the forms of the W3C headers; an empty one is none, and what is malformed is left out.
    #[must_use]
    pub fn of_texts(traceparent: &str, state: &str, baggage: &str) -> Self {
        let context = SpanContext::from_header(traceparent.as_bytes());
        // The state belongs to a trace: without one it means nothing.
        let state = if context.is_some() { state } else { "" };
        Self {
            context,
            carried: carried(state, baggage),
        }
    }
}

/// What of both is well-formed; `None`: nothing.
pub(super) fn carried(state: &str, baggage: &str) -> Option<Arc<Carried>> {
    let state = if is_state(state) { state.trim() } else { "" };
    let baggage = if is_baggage(baggage) {
        baggage.trim()
    } else {
        ""
    };
    if state.is_empty() && baggage.is_empty() {
        return None;
    }
    Some(Arc::new(Carried {
        state: state.to_owned(),
        baggage: baggage.to_owned(),
    }))
}

fn is_state(text: &str) -> bool {
    let members = || members(text);
    text.len() <= STATE_BYTES_MAX
        && members().count() <= STATE_MEMBERS_MAX
        && members().all(|member| {
            let Some((key, value)) = member.split_once('=') else {
                return false;
            };
            let is_key =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-*/@".contains(c);
            !key.is_empty() && key.chars().all(is_key) && is_visible(value)
        })
}

fn is_baggage(text: &str) -> bool {
    let members = || members(text);
    text.len() <= BAGGAGE_BYTES_MAX
        && members().count() <= BAGGAGE_MEMBERS_MAX
        && members().all(|member| {
            let pair = member.split(';').next().unwrap_or_default();
            let Some((key, value)) = pair.split_once('=') else {
                return false;
            };
            !key.trim().is_empty()
                && key.trim().chars().all(is_token)
                && is_visible(member)
                && !value.contains('"')
        })
}

fn members(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|member| !member.is_empty())
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// A `token` of RFC 9110.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_well_formed_travels() {
        let origin = Origin::of_texts(TRACE, "vendor=1,a@b=x", "user=alice;p=1, plan = gold%20x");
        let carried = origin.carried.unwrap();
        assert_eq!(carried.state, "vendor=1,a@b=x");
        assert_eq!(carried.baggage, "user=alice;p=1, plan = gold%20x");
    }

    #[test]
    fn what_is_malformed_is_left_out_as_a_whole() {
        let long = format!("a={}", "x".repeat(BAGGAGE_BYTES_MAX));
        for baggage in ["nonsense", "=x", "a b=c", "a=\"x\"", "ä=1", long.as_str()] {
            assert_eq!(
                Origin::of_texts(TRACE, "", baggage).carried,
                None,
                "{baggage}"
            );
        }
        let long = format!("a={}", "x".repeat(STATE_BYTES_MAX));
        for state in ["nonsense", "A=1", long.as_str()] {
            assert_eq!(Origin::of_texts(TRACE, state, "").carried, None, "{state}");
        }
    }

    #[test]
    fn a_state_without_its_trace_is_dropped_and_baggage_is_not() {
        let origin = Origin::of_texts("nonsense", "vendor=1", "user=alice");
        assert_eq!(origin.context, None);
        let carried = origin.carried.unwrap();
        assert_eq!((&*carried.state, &*carried.baggage), ("", "user=alice"));
    }
}
