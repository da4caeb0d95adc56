//! Which handler answers what.

use super::{IntoResponse, Method, Request, Response, request::Params};
use crate::{Error, Kind};
use percent_encoding::percent_decode_str;
use std::collections::HashMap;

type Handler = Box<dyn Fn(Request) -> Response + Send + Sync>;

/// Routes of a guest: a verb and a path such as `/orders/{id}` or `/files/{*rest}`, and the function that answers.
///
/// A request that no route matches is answered with 404, and an [`Error`] that a handler gives with the status of its kind.
#[derive(Default)]
pub struct Router {
    /// From a path to its place among the routes.
    paths: matchit::Router<usize>,
    /// The same by pattern, for another verb of one that is there.
    patterns: HashMap<String, usize>,
    routes: Vec<HashMap<Method, Handler>>,
}

/// One method of the router for each verb.
macro_rules! verbs {
    ($($name:ident $verb:ident;)*) => {$(
        #[doc = concat!("A route for `", stringify!($verb), "`.")]
        ///
        /// # Panics
        /// As [`Router::route`].
        #[must_use]
        pub fn $name<R: IntoResponse>(
            self,
            path: &str,
            handler: impl Fn(Request) -> R + Send + Sync + 'static,
        ) -> Self {
            self.route(Method::$verb, path, handler)
        }
    )*};
}

impl Router {
    /// Without routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    verbs! {
        get GET;
        post POST;
        put PUT;
        patch PATCH;
        delete DELETE;
    }

    /// A route for any verb.
    ///
    /// # Panics
    /// The path is no pattern, or it contradicts another one, such as `/orders/{id}` and `/orders/{order}`.
    #[must_use]
    pub fn route<R: IntoResponse>(
        mut self,
        verb: Method,
        path: &str,
        handler: impl Fn(Request) -> R + Send + Sync + 'static,
    ) -> Self {
        let place = match self.patterns.get(path) {
            Some(place) => *place,
            None => self.add_path(path),
        };
        let handler: Handler = Box::new(move |request| handler(request).into_response());
        self.routes[place].insert(verb, handler);
        self
    }

    /// The routes of another router, too.
    ///
    /// # Panics
    /// As [`Router::route`].
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        let mut routes: Vec<_> = other.routes.into_iter().map(Some).collect();
        for (path, place) in other.patterns {
            let here = match self.patterns.get(&path) {
                Some(here) => *here,
                None => self.add_path(&path),
            };
            self.routes[here].extend(routes[place].take().into_iter().flatten());
        }
        self
    }

    fn add_path(&mut self, path: &str) -> usize {
        let place = self.routes.len();
        if let Err(error) = self.paths.insert(path, place) {
            panic!("the route {path}: {error}");
        }
        self.patterns.insert(path.to_owned(), place);
        self.routes.push(HashMap::new());
        place
    }

    /// Answers a request.
    pub fn answer(&self, mut request: Request) -> Response {
        let path = request.uri().path().to_owned();
        // A slash at the end does not matter.
        let trimmed = match path.trim_end_matches('/') {
            "" => "/",
            trimmed => trimmed,
        };
        let found = self.paths.at(trimmed).ok().and_then(|found| {
            let handler = self.routes[*found.value].get(request.method())?;
            let params = found
                .params
                .iter()
                .map(|(name, value)| (name.to_owned(), decode(value)));
            Some((handler, params.collect()))
        });
        let Some((handler, params)) = found else {
            let message = format!("nothing answers {} {path}", request.method());
            return Error::new(Kind::NotFound, message).into_response();
        };
        request.extensions_mut().insert(Params(params));
        handler(request)
    }
}

/// Resolves `%41`.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RequestExt;

    fn ask(verb: &str, path: &str) -> String {
        let router = Router::new()
            .get("/orders/{id}", |request: Request| {
                format!("show {}", request.param("id"))
            })
            .delete("/orders/{id}", |request: Request| {
                format!("drop {}", request.param("id"))
            })
            .get("/orders/open", |_: Request| "open")
            .get("/", |_: Request| "root");
        let request = http::Request::builder().method(verb).uri(path);
        let answer = router.answer(request.body(Vec::new()).expect("a request"));
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        match answer.status().as_u16() {
            200 => body,
            status => format!("{status} {body}"),
        }
    }

    #[test]
    fn a_route_is_found_by_verb_and_path() {
        assert_eq!(ask("GET", "/orders/17"), "show 17");
        assert_eq!(ask("DELETE", "/orders/17"), "drop 17");
        assert_eq!(ask("GET", "/orders/open"), "open");
        assert_eq!(ask("GET", "/orders/17/"), "show 17");
        assert_eq!(ask("GET", "/"), "root");
    }

    #[test]
    fn what_no_route_matches_is_not_found() {
        assert!(ask("PUT", "/orders/17").starts_with("404 {\"error\":\"not-found\""));
        assert!(ask("GET", "/orders/17/items").starts_with("404"));
    }

    #[test]
    fn parameters_are_decoded() {
        assert_eq!(ask("GET", "/orders/a%20b%2Fc"), "show a b/c");
        assert_eq!(ask("GET", "/orders/a+b=c"), "show a+b=c");
    }

    #[test]
    fn routers_are_merged() {
        let shown = Router::new().get("/orders/{id}", |_: Request| "show");
        let dropped = Router::new().delete("/orders/{id}", |_: Request| "drop");
        let both = shown.merge(dropped).merge(Router::new());
        for (verb, expected) in [("GET", "show"), ("DELETE", "drop")] {
            let request = http::Request::builder().method(verb).uri("/orders/1");
            let answer = both.answer(request.body(Vec::new()).expect("a request"));
            assert_eq!(answer.body(), expected.as_bytes());
        }
    }

    #[test]
    #[should_panic(expected = "/orders/{order}")]
    fn routes_that_contradict_are_a_mistake() {
        let _ = Router::new()
            .get("/orders/{id}", |_: Request| "")
            .get("/orders/{order}", |_: Request| "");
    }
}
