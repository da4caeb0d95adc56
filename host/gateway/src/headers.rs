//! Which headers of a client reach a guest.
//!
//! Dropped: what belongs to the connection (hop by hop), and every `dapr-*` and `berth-*` header, since the host itself
//! uses these to say who called. The runtime sets the trace context, where it begins the span of the request.

use http::{HeaderMap, HeaderName, header};

/// Headers of the connection that have a name of their own. `te` and `trailer` are among them; `transfer-encoding` has
/// been consumed by the server.
static HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Drops what belongs to the connection, and what the host itself says in headers.
pub(crate) fn drop_foreign(headers: &mut HeaderMap) {
    // One pass that allocates nothing when there is nothing to drop, as for nearly every request.
    if !headers.keys().any(|name| is_dropped(name.as_str())) {
        return;
    }
    let mut dropped: Vec<HeaderName> = named_by_connection(headers);
    let spoofed = headers.keys().filter(|name| is_dropped(name.as_str()));
    dropped.extend(spoofed.cloned());
    for name in dropped {
        headers.remove(name);
    }
}

fn is_dropped(name: &str) -> bool {
    match name.as_bytes().first() {
        Some(b'd') => name.starts_with("dapr-"),
        Some(b'b') => name.starts_with("berth-"),
        Some(b'k') => matches!(name, "keep-alive"),
        Some(b'p') => name == "proxy-connection" || is_hop_by_hop(name),
        Some(b'c' | b't' | b'u') => is_hop_by_hop(name),
        _ => false,
    }
}

fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.iter().any(|known| known.as_str() == name)
}

/// `Connection: close, x-private` makes `x-private` hop by hop. `Host` and the like stay, whatever it says.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| !is_end_to_end(name))
        .collect()
}

/// What a client cannot take away from the guest by calling it hop by hop.
fn is_end_to_end(name: &HeaderName) -> bool {
    [
        header::HOST,
        header::AUTHORIZATION,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::COOKIE,
    ]
    .contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn admitted(lines: &[(&str, &str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        drop_foreign(&mut headers);
        let lines = headers.iter();
        let mut lines: Vec<_> = lines
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn identity_of_the_host_cannot_be_spoofed() {
        let kept = admitted(&[
            ("dapr-caller-app-id", "admin"),
            ("berth-caller", "admin"),
            ("dapr", "a word"),
            ("traceparent", TRACE),
        ]);
        assert_eq!(
            kept,
            ["dapr: a word".to_owned(), format!("traceparent: {TRACE}")]
        );
    }

    #[test]
    fn headers_of_the_connection_stay_with_the_connection() {
        let kept = admitted(&[
            ("connection", "close, X-Private, host"),
            ("host", "example.com"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("cookie", "a=b"),
            ("traceparent", TRACE),
        ]);
        assert_eq!(
            kept,
            [
                "cookie: a=b".to_owned(),
                "host: example.com".to_owned(),
                format!("traceparent: {TRACE}")
            ]
        );
    }
}
