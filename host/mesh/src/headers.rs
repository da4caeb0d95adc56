//! Which headers travel between hosts, and what the hosts themselves say in headers.
//!
//! An app's headers go through as they are. What belongs to one connection does not (RFC 9110 section 7.6.1), and a
//! header that begins with `berth-` is the hosts' own: an app can neither send nor see one.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The app that is called, `<app ID>.<namespace>`.
pub(crate) static CALLEE: HeaderName = HeaderName::from_static("berth-callee");
/// The app that calls, in the same form; believed only where there is no TLS.
pub(crate) static CALLER: HeaderName = HeaderName::from_static("berth-caller");
/// Milliseconds that the caller goes on waiting for the head of the answer: a duration, since clocks differ.
pub(crate) static TIMEOUT: HeaderName = HeaderName::from_static("berth-timeout-ms");
/// Set by the host that was called if the answer is not the app's: see `refusal::Refusal`.
pub(crate) static REFUSAL: HeaderName = HeaderName::from_static("berth-refusal");

/// Takes out what does not travel.
pub(crate) fn strip(headers: &mut HeaderMap) {
    // Nearly every message has nothing to strip: one pass that allocates nothing.
    if !headers.keys().any(stays_behind) {
        return;
    }
    let mut stripped: Vec<HeaderName> = named_by_connection(headers);
    stripped.extend(headers.keys().filter(|name| stays_behind(name)).cloned());
    for name in stripped {
        headers.remove(name);
    }
}

/// Hop by hop, besides what `Connection` names: the same set as Dapr's. And what is the hosts' own.
fn stays_behind(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    ) || name.as_str().starts_with("berth-")
}

/// `Connection: close, x-private` makes `x-private` hop by hop. What the app needs to read the message stays.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let kept = [
        header::HOST,
        header::AUTHORIZATION,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::COOKIE,
    ];
    let values = headers.get_all(header::CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| !kept.contains(name))
        .collect()
}

/// Sets a header of the hosts, if the value can be one.
pub(crate) fn say(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(lines: &[(&str, &str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        strip(&mut headers);
        let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn hop_by_hop_headers_and_those_of_the_hosts_stay_behind() {
        let names = stripped(&[
            ("connection", "close, X-Private, host"),
            ("x-private", "1"),
            ("x-public", "1"),
            ("host", "orders"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("http2-settings", "AAA"),
            ("berth-caller", "admin.shop"),
            ("traceparent", "00-1"),
            ("cookie", "a=b"),
            ("content-length", "3"),
        ]);
        assert_eq!(
            names,
            [
                "content-length",
                "cookie",
                "host",
                "traceparent",
                "x-public"
            ]
        );
    }

    #[test]
    fn nothing_else_is_touched() {
        let names = stripped(&[("host", "orders"), ("user-agent", "x"), ("b", "1")]);
        assert_eq!(names, ["b", "host", "user-agent"]);
    }
}
