//! Paths and query strings.

/// The segments of a path, decoded. Empty ones are left out, so a trailing slash does not matter.
pub(crate) fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(decode)
        .collect()
}

/// The pairs of a query string, decoded.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (
            decode(&name.replace('+', " ")),
            decode(&value.replace('+', " ")),
        )
    };
    query
        .split('&')
        .filter(|text| !text.is_empty())
        .map(pair)
        .collect()
}

/// Resolves `%41`. What is not an escape stays as it is.
fn decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        match (first, escaped(tail)) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                rest = &tail[2..];
            }
            _ => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn escaped(tail: &[u8]) -> Option<u8> {
    let digit = |index: usize| char::from(*tail.get(index)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_slash_is_part_of_its_segment() {
        assert_eq!(segments("/inventory/a%2Fb/"), ["inventory", "a/b"]);
    }

    #[test]
    fn broken_escapes_stay() {
        assert_eq!(segments("/100%/%4/%zz"), ["100%", "%4", "%zz"]);
    }

    #[test]
    fn a_query_is_a_list_of_pairs() {
        let expected = [("limit", "10"), ("after", "a b"), ("flag", "")];
        assert_eq!(
            pairs("limit=10&after=a+b&flag"),
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}
