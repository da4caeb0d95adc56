//! Trace context in HTTP headers.

use super::{Origin, SpanContext, Trace, carried::carried};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::borrow::Cow;

/// W3C trace context.
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What other tracers say about a trace.
pub static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// What the application says about a request, for all that it leads to.
pub static BAGGAGE: HeaderName = HeaderName::from_static("baggage");

impl Origin {
    /// Reads the headers of a request. A `traceparent` that comes twice is none.
    #[must_use]
    pub fn of_headers(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(&TRACEPARENT).iter();
        let context = match (given.next(), given.next()) {
            (Some(value), None) => SpanContext::from_header(value.as_bytes()),
            _ => None,
        };
        let state = match context {
            Some(_) => joined(headers, &TRACESTATE),
            None => Cow::Borrowed(""),
        };
        Self {
            context,
            carried: carried(&state, &joined(headers, &BAGGAGE)),
        }
    }
}

/// All values of a header that is a list; most requests have none.
fn joined<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Cow<'h, str> {
    let mut values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let Some(first) = values.next() else {
        return Cow::Borrowed("");
    };
    let mut joined = Cow::Borrowed(first);
    for value in values {
        let all = joined.to_mut();
        all.push(',');
        all.push_str(value);
    }
    joined
}

impl Trace {
    /// Sets the headers of a request that this trace leads to: whoever gets it nests below this span. What the sender
    /// itself says in `tracestate` and `baggage` stays.
    pub fn inject(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_bytes(&self.context().to_bytes()) {
            headers.insert(&TRACEPARENT, value);
        }
        let Some(carried) = self.carried() else {
            return;
        };
        for (name, text) in [(&TRACESTATE, &carried.state), (&BAGGAGE, &carried.baggage)] {
            if text.is_empty() || headers.contains_key(name) {
                continue;
            }
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        }
    }

    /// Sets the headers of a request as its receiver sees them: malformed ones of the sender are gone.
    pub fn replace(&self, headers: &mut HeaderMap) {
        for name in [&TRACESTATE, &BAGGAGE] {
            // Nearly no request has them: a look costs less than a removal.
            if headers.contains_key(name) {
                headers.remove(name);
            }
        }
        self.inject(headers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{SpanKind, Tracer};

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn received(lines: &[(&'static str, &str)]) -> Vec<(String, String)> {
        let mut headers = headers(lines);
        let (trace, _) = Tracer::off().enter(Origin::of_headers(&headers), SpanKind::Server, "GET");
        trace.replace(&mut headers);
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_trace_with_its_state_and_baggage_goes_through() {
        let lines = [
            ("baggage", "user=alice"),
            ("traceparent", TRACE),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
        ];
        let expected = [
            ("baggage", "user=alice"),
            ("traceparent", TRACE),
            ("tracestate", "a=1,b=2"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(received(&lines), expected);
    }

    #[test]
    fn a_missing_or_broken_trace_is_replaced() {
        for lines in [
            &[][..],
            &[("traceparent", "nonsense"), ("tracestate", "a=b")],
            &[("traceparent", TRACE), ("traceparent", TRACE)],
        ] {
            let got = received(lines);
            let [(name, value)] = got.as_slice() else {
                panic!("{got:?}");
            };
            assert_eq!(name, "traceparent");
            assert!(value.parse::<SpanContext>().is_ok());
            assert_ne!(value, TRACE);
        }
    }

    #[test]
    fn what_the_sender_says_itself_stays() {
        let origin = Origin::of_texts(TRACE, "a=1", "user=alice");
        let trace = Trace::remote(origin);
        let mut headers = headers(&[("baggage", "user=bob"), ("traceparent", "own")]);
        trace.inject(&mut headers);
        assert_eq!(headers[&BAGGAGE], "user=bob");
        assert_eq!(headers[&TRACEPARENT], TRACE);
        assert_eq!(headers[&TRACESTATE], "a=1");
    }
}
