//! Paths as Go reads them, since Dapr's routes are compared that way.

use std::borrow::Cow;

/// Resolves `//`, `.`, `..` and a slash at the end, as Go's `path.Clean` does. Escapes stay.
pub(super) fn clean(path: &str) -> Cow<'_, str> {
    if is_clean(path) {
        return Cow::Borrowed(path);
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    Cow::Owned(format!("/{}", segments.join("/")))
}

/// Nearly every path: one pass, nothing allocated. May say no to a path that is clean.
fn is_clean(path: &str) -> bool {
    let bytes = path.as_bytes();
    let doubtful = |pair: &[u8]| pair[0] == b'/' && matches!(pair[1], b'/' | b'.');
    bytes.first() == Some(&b'/') && bytes.last() != Some(&b'/') && !bytes.windows(2).any(doubtful)
}

/// A part of a path or a query: `%xx` decoded, `+` read as a space. `None`: not decodable, or no text.
pub(super) fn unescape(part: &str) -> Option<Cow<'_, str>> {
    decode(part, true)
}

/// A whole path: `%xx` decoded and nothing else.
pub(super) fn unescape_path(path: &str) -> Option<Cow<'_, str>> {
    decode(path, false)
}

fn decode(text: &str, plus_is_space: bool) -> Option<Cow<'_, str>> {
    let escaped = |byte: u8| byte == b'%' || (plus_is_space && byte == b'+');
    if !text.bytes().any(escaped) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Escapes what cannot stand in a path; slashes stay.
pub(super) fn escape_path(path: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push(char::from(DIGITS[usize::from(byte >> 4)]));
            escaped.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, expected) in [
            ("/v1.0/state/s/k", "/v1.0/state/s/k"),
            ("//v1.0///state/s/", "/v1.0/state/s"),
            ("/v1.0/./state/x/../s", "/v1.0/state/s"),
            ("/../..", "/"),
            ("/", "/"),
            ("*", "/*"),
            ("/a/.well-known", "/a/.well-known"),
            ("/a/%2e%2e/b", "/a/%2e%2e/b"),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }

    #[test]
    fn parts_are_decoded_as_a_query_is() {
        assert_eq!(unescape("a+b%2Fc%20d").as_deref(), Some("a b/c d"));
        assert_eq!(unescape("%C3%A9").as_deref(), Some("é"));
        for broken in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(unescape(broken), None, "{broken}");
        }
        assert_eq!(unescape_path("a+b%20c").as_deref(), Some("a+b c"));
        assert_eq!(escape_path("a b/c?é"), "a%20b/c%3F%C3%A9");
    }
}
