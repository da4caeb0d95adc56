//! The form of a path in which routes are compared.
//!
//! A guest may decode `%2e`, join `//` or read `\` as `/` before it looks at a path; a route that must stay private
//! would be reachable by such a spelling if the ingress compared letters. So both sides are compared decoded, with single
//! slashes and without one at the end, and a path with dot segments, which no browser and no HTTP library sends, is
//! refused. The guest gets the path as it was sent.

use std::borrow::Cow;

/// A path with a `.` or `..` segment: what it means depends on who resolves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DotSegment;

/// The comparable form: empty for the root, else `/a/b`.
pub(crate) fn canonical(path: &str) -> Result<Cow<'_, str>, DotSegment> {
    if is_canonical(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let decoded = decode(path);
    let mut result = String::with_capacity(decoded.len());
    for segment in decoded.split(['/', '\\']) {
        match segment {
            "" => {}
            "." | ".." => return Err(DotSegment),
            segment => {
                result.push('/');
                result.push_str(segment);
            }
        }
    }
    Ok(Cow::Owned(result))
}

/// Nearly every request: one pass, nothing allocated. May say no to a path that is canonical.
fn is_canonical(path: &[u8]) -> bool {
    let mut after_slash = false;
    for (at, byte) in path.iter().enumerate() {
        match byte {
            b'%' | b'\\' => return false,
            b'/' | b'.' if after_slash => return false,
            byte if at == 0 && *byte != b'/' => return false,
            _ => after_slash = *byte == b'/',
        }
    }
    !after_slash
}

/// Decodes `%xx`; what is not valid stays as it is. Bytes that are not UTF-8 become replacement characters, which no
/// route holds.
fn decode(path: &str) -> Cow<'_, str> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_path_are_equal() {
        for spelling in [
            "/on-order",
            "/on-order/",
            "//on-order",
            "/%6fn-order",
            "/on%2Dorder",
            "\\on-order",
            "/on-order%2f",
        ] {
            assert_eq!(canonical(spelling).unwrap(), "/on-order", "{spelling}");
        }
    }

    #[test]
    fn dot_segments_are_refused_in_every_spelling() {
        for path in ["/a/../b", "/.", "/a/%2e%2E/b", "/a/..%2fb", "/..\\b"] {
            assert_eq!(canonical(path), Err(DotSegment), "{path}");
        }
    }

    #[test]
    fn dots_inside_a_segment_are_fine() {
        assert_eq!(
            canonical("/.well-known/a..b/c."),
            Ok("/.well-known/a..b/c.".into())
        );
    }

    #[test]
    fn the_root_is_empty() {
        assert_eq!(canonical("/"), Ok("".into()));
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(canonical("/100%/%zz"), Ok("/100%/%zz".into()));
    }

    proptest! {
        #[test]
        fn the_quick_look_agrees_with_the_long_way(path in "/[a%2./\\\\]{0,12}") {
            if is_canonical(path.as_bytes()) {
                let long = canonical(&format!("{path}/")).unwrap().into_owned();
                prop_assert_eq!(long, path);
            }
        }
    }
}
