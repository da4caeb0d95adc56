//! Keys by prefix, as a range of text in binary order.

/// The smallest text that is greater than every text with this prefix; `None` if there is none.
pub(crate) fn prefix_end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // The range skips the surrogates, which no text holds.
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text_in_binary_order() {
        let end = |prefix| prefix_end(prefix).unwrap_or_else(|| "none".to_owned());
        assert_eq!(end("app||"), "app|}");
        assert_eq!(end("a\u{10ffff}"), "b");
        assert_eq!(end("\u{d7ff}"), "\u{e000}");
        assert_eq!(end("\u{10ffff}"), "none");
        assert_eq!(end(""), "none");
    }
}
