//! The query of a request: options, and metadata for backends.

use super::path::unescape;
use http::Uri;
use std::borrow::Cow;

/// Begins the name of every parameter that is metadata. The case counts.
const METADATA: &str = "metadata.";

/// Decoded as it is read: most requests have none.
#[derive(Clone, Copy)]
pub(super) struct Query<'q>(&'q str);

impl<'q> Query<'q> {
    pub fn of(uri: &'q Uri) -> Self {
        Self(uri.query().unwrap_or_default())
    }

    /// What cannot be decoded is not there, as in Go.
    fn pairs(self) -> impl Iterator<Item = (Cow<'q, str>, Cow<'q, str>)> {
        let parts = self.0.split('&').filter(|part| !part.is_empty());
        parts.filter_map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((unescape(name)?, unescape(value)?))
        })
    }

    /// The first value of a parameter.
    pub fn get(self, wanted: &str) -> Option<Cow<'q, str>> {
        self.pairs()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value)
    }

    /// `metadata.<name>=<value>`; the first value of a name counts.
    pub fn metadata(self) -> Vec<(String, String)> {
        let mut metadata: Vec<(String, String)> = Vec::new();
        for (name, value) in self.pairs() {
            let Some(name) = name.strip_prefix(METADATA) else {
                continue;
            };
            if !metadata.iter().any(|(known, _)| known == name) {
                metadata.push((name.to_owned(), value.into_owned()));
            }
        }
        metadata
    }
}

/// Metadata of a body with that of the query over it.
pub(super) fn merged(
    body: impl IntoIterator<Item = (String, String)>,
    query: &[(String, String)],
) -> Vec<(String, String)> {
    let own = body.into_iter();
    let kept = own.filter(|(name, _)| !query.iter().any(|(known, _)| known == name));
    kept.chain(query.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_the_first_value_of_each_name() {
        let uri: Uri = "/x?metadata.a=1&metadata.a=2&Metadata.b=3&metadata.c+d=e%26f&metadata.%zz=1&consistency=strong"
            .parse()
            .unwrap();
        let query = Query::of(&uri);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(query.metadata(), [pair("a", "1"), pair("c d", "e&f")]);
        assert_eq!(query.get("consistency").as_deref(), Some("strong"));
        assert_eq!(query.get("concurrency"), None);
        let merged = merged([pair("a", "0"), pair("z", "9")], &query.metadata());
        assert_eq!(merged, [pair("z", "9"), pair("a", "1"), pair("c d", "e&f")]);
    }
}
