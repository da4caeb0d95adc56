//! What a handler asks of its request.

use super::Request;
use crate::{Error, Kind, Result, json};
use serde::de::DeserializeOwned;

/// Parameters of the route, decoded.
#[derive(Clone, Default)]
pub(super) struct Params(pub Vec<(String, String)>);

/// What a handler asks of its request, beside what [`http::Request`] offers.
pub trait RequestExt {
    /// The part of the path that stands at `{name}` in the route, decoded; empty if the route has none of that name.
    fn param(&self, name: &str) -> &str;

    /// The first value of this name in the query string, decoded.
    fn query(&self, name: &str) -> Option<String>;

    /// The first header of this name that is text.
    fn header(&self, name: &str) -> Option<&str>;

    /// The body as JSON.
    ///
    /// # Errors
    /// [`Kind::Invalid`], which as an answer is 400: it is no JSON, or not of this shape.
    fn json<T: DeserializeOwned>(&self) -> Result<T>;
}

impl RequestExt for Request {
    fn param(&self, name: &str) -> &str {
        let params = self.extensions().get::<Params>();
        let mut params = params.into_iter().flat_map(|params| &params.0);
        params
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    fn query(&self, name: &str) -> Option<String> {
        let query = self.uri().query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T> {
        json::read("the body", self.body())
            .map_err(|error| Error::new(Kind::Invalid, error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, body: &str) -> Request {
        let request = http::Request::builder()
            .uri(uri)
            .header("x-text", "a")
            .header("x-bytes", b"\xff".as_slice());
        request.body(body.as_bytes().to_vec()).expect("a request")
    }

    #[test]
    fn a_query_is_decoded() {
        let request = request("/a?name=Ada%20L&name=other&plus=1+2", "");
        assert_eq!(request.query("name").as_deref(), Some("Ada L"));
        assert_eq!(request.query("plus").as_deref(), Some("1 2"));
        assert_eq!(request.query("none"), None);
    }

    #[test]
    fn headers_that_are_no_text_are_absent() {
        let request = request("/", "");
        assert_eq!(request.header("X-Text"), Some("a"));
        assert_eq!(request.header("x-bytes"), None);
    }

    #[test]
    fn a_body_of_another_shape_is_invalid() {
        assert_eq!(request("/", "[1]").json::<Vec<u8>>(), Ok(vec![1]));
        let error = request("/", "{").json::<Vec<u8>>().expect_err("no JSON");
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.message().contains("line 1"), "{error}");
    }
}
