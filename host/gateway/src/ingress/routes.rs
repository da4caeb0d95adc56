//! Which app answers a request: host first, then the longest path prefix on whole segments.
//!
//! A table is immutable and replaced whole, so that a request sees either the old or the new deployment.

use super::path::{DotSegment, canonical};
use berth_blocks::invocation::Target;
use berth_resources::HttpExposure;
use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

/// An app as the ingress sees it.
#[derive(Debug, Clone)]
pub struct ExposedApp {
    /// Who answers.
    pub target: Target,
    /// What it listens to; absent: nothing, unless it is the only app of the host.
    pub http: Option<HttpExposure>,
    /// Paths that only the delivery of messages may call: a client that could reach them could forge events.
    pub private_paths: Vec<String>,
}

/// Two apps want the same requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteConflict {
    /// Path prefix.
    pub path: String,
    /// Host name, if the route has one.
    pub host: Option<String>,
    /// Who has it.
    pub first: Target,
    /// Who wants it too.
    pub second: Target,
}

impl fmt::Display for RouteConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or_default();
        let (path, first, second) = (&self.path, &self.first.app, &self.second.app);
        write!(f, "apps `{first}` and `{second}` both claim {host}{path}")
    }
}

/// The answer of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match<'a> {
    /// This app.
    App(&'a Target),
    /// No app, or a path that is not for clients. One answer, so that a client cannot tell private paths.
    Nothing,
    /// A path with dot segments.
    DotSegment,
}

/// Routes of one host.
#[derive(Debug, Default)]
pub struct RouteTable {
    by_host: HashMap<String, Prefixes>,
    any_host: Prefixes,
}

#[derive(Debug, Default)]
struct Prefixes {
    /// By canonical prefix; empty: every path.
    apps: HashMap<String, Arc<Route>>,
    /// Segments of the longest prefix: a path need not be cut deeper.
    depth: usize,
}

#[derive(Debug)]
struct Route {
    target: Target,
    private: HashSet<String>,
}

impl RouteTable {
    /// Builds the table.
    ///
    /// # Errors
    /// Every pair of apps that claim the same host and path.
    pub fn new(apps: Vec<ExposedApp>) -> Result<Self, Vec<RouteConflict>> {
        let alone = apps.len() == 1;
        let mut table = Self::default();
        let mut conflicts = Vec::new();
        for app in apps {
            let everywhere = alone.then(HttpExposure::default);
            let Some(http) = app.http.or(everywhere) else {
                continue;
            };
            let route = Arc::new(Route {
                private: app
                    .private_paths
                    .iter()
                    .map(|path| comparable(path))
                    .collect(),
                target: app.target,
            });
            conflicts.extend(table.insert(&http, &route));
        }
        if conflicts.is_empty() {
            Ok(table)
        } else {
            Err(conflicts)
        }
    }

    fn insert(&mut self, http: &HttpExposure, route: &Arc<Route>) -> Vec<RouteConflict> {
        let prefixes = match &http.host {
            Some(host) => self.by_host.entry(host.to_ascii_lowercase()).or_default(),
            None => &mut self.any_host,
        };
        let every_path = [String::new()];
        let paths = if http.paths.is_empty() {
            &every_path[..]
        } else {
            &http.paths
        };
        let mut conflicts = Vec::new();
        for path in paths {
            if let Some(first) = prefixes.insert(comparable(path), route.clone())
                && first.target != route.target
            {
                conflicts.push(RouteConflict {
                    path: if path.is_empty() {
                        "/".to_owned()
                    } else {
                        path.clone()
                    },
                    host: http.host.clone(),
                    first: first.target.clone(),
                    second: route.target.clone(),
                });
            }
        }
        conflicts
    }

    /// The app that answers clients at a path; `None`: nobody does.
    #[must_use]
    pub fn target(&self, host: Option<&str>, path: &str) -> Option<&Target> {
        match self.find(host, path) {
            Match::App(target) => Some(target),
            Match::Nothing | Match::DotSegment => None,
        }
    }

    /// The app for a request. `host` may carry a port.
    pub(crate) fn find(&self, host: Option<&str>, path: &str) -> Match<'_> {
        let path = match canonical(path) {
            Ok(path) => path,
            Err(DotSegment) => return Match::DotSegment,
        };
        let of_host = if self.by_host.is_empty() {
            None
        } else {
            host.and_then(|host| self.by_host.get(&host_name(host)))
        };
        let found = of_host
            .and_then(|prefixes| prefixes.longest(&path))
            .or_else(|| self.any_host.longest(&path));
        match found {
            Some(route) if !route.private.contains(&*path) => Match::App(&route.target),
            _ => Match::Nothing,
        }
    }
}

impl Prefixes {
    /// Gives back what was there, which stays.
    fn insert(&mut self, prefix: String, route: Arc<Route>) -> Option<Arc<Route>> {
        if let Some(first) = self.apps.get(&prefix) {
            return Some(first.clone());
        }
        self.depth = self.depth.max(prefix.matches('/').count());
        self.apps.insert(prefix, route);
        None
    }

    fn longest(&self, path: &str) -> Option<&Route> {
        let mut prefix = first_segments(path, self.depth);
        loop {
            if let Some(route) = self.apps.get(prefix) {
                return Some(route);
            }
            prefix = &prefix[..prefix.rfind('/')?];
        }
    }
}

/// The first `count` segments of a canonical path, so that a path of ten thousand segments costs no more than a short
/// one.
fn first_segments(path: &str, count: usize) -> &str {
    let end = path.match_indices('/').nth(count).map(|(at, _)| at);
    &path[..end.unwrap_or(path.len())]
}

/// A path of a document in comparable form. Documents hold no dot segments; one that does matches no request.
fn comparable(path: &str) -> String {
    let rooted = format!("/{}", path.trim_start_matches('/'));
    canonical(&rooted).map_or_else(|_| rooted.clone(), |path| path.into_owned())
}

/// Lower case, without port, without the dot of a fully qualified name.
fn host_name(host: &str) -> String {
    let name = match host.rfind(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next().unwrap_or_default(),
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_resources::Namespace;
    use proptest::prelude::*;

    fn target(app: &str) -> Target {
        Target {
            namespace: Namespace::default(),
            app: app.parse().unwrap(),
        }
    }

    fn app(name: &str, host: Option<&str>, paths: &[&str]) -> ExposedApp {
        ExposedApp {
            target: target(name),
            http: Some(HttpExposure {
                paths: paths.iter().map(ToString::to_string).collect(),
                host: host.map(str::to_owned),
            }),
            private_paths: Vec::new(),
        }
    }

    fn hidden(name: &str) -> ExposedApp {
        ExposedApp {
            target: target(name),
            http: None,
            private_paths: Vec::new(),
        }
    }

    fn answer(table: &RouteTable, host: &str, path: &str) -> String {
        match table.find(Some(host), path) {
            Match::App(target) => target.app.to_string(),
            Match::Nothing => "nothing".to_owned(),
            Match::DotSegment => "dot segment".to_owned(),
        }
    }

    #[test]
    fn prefixes_match_whole_segments_and_the_longest_wins() {
        let apps = vec![
            app("orders", None, &["/orders"]),
            app("stats", None, &["/orders/stats/"]),
        ];
        let table = RouteTable::new(apps).unwrap();
        for (path, expected) in [
            ("/orders", "orders"),
            ("/orders/", "orders"),
            ("/orders/17", "orders"),
            ("/orders/stats", "stats"),
            ("/orders/stats/today", "stats"),
            ("/orders/statistics", "orders"),
            ("/ordersX", "nothing"),
            ("/", "nothing"),
            ("*", "nothing"),
            ("/orders/../reserve", "dot segment"),
        ] {
            assert_eq!(answer(&table, "localhost", path), expected, "{path}");
        }
    }

    #[test]
    fn a_host_comes_before_a_path() {
        let apps = vec![
            app("shop", Some("shop.example.com"), &[]),
            app("api", None, &["/api"]),
        ];
        let table = RouteTable::new(apps).unwrap();
        assert_eq!(answer(&table, "Shop.Example.com:8080", "/api/v1"), "shop");
        assert_eq!(answer(&table, "shop.example.com.", "/"), "shop");
        assert_eq!(answer(&table, "127.0.0.1:8080", "/api/v1"), "api");
        assert_eq!(answer(&table, "[::1]:8080", "/"), "nothing");
    }

    #[test]
    fn a_host_without_a_matching_path_falls_back_to_routes_of_every_host() {
        let apps = vec![
            app("shop", Some("shop.example.com"), &["/shop"]),
            app("api", None, &["/api"]),
        ];
        let table = RouteTable::new(apps).unwrap();
        assert_eq!(answer(&table, "shop.example.com", "/api"), "api");
    }

    #[test]
    fn a_single_app_without_http_is_reachable_everywhere_but_not_beside_another() {
        let alone = RouteTable::new(vec![hidden("one")]).unwrap();
        assert_eq!(answer(&alone, "x", "/any/path"), "one");
        let both = RouteTable::new(vec![hidden("one"), app("two", None, &["/two"])]).unwrap();
        assert_eq!(answer(&both, "x", "/any/path"), "nothing");
    }

    #[test]
    fn private_paths_are_not_there_in_any_spelling() {
        let mut orders = app("orders", None, &[]);
        orders.private_paths = vec!["on-order".to_owned()];
        let table = RouteTable::new(vec![orders]).unwrap();
        for path in ["/on-order", "/on-order/", "//on-order", "/on%2dorder"] {
            assert_eq!(answer(&table, "x", path), "nothing", "{path}");
        }
        assert_eq!(answer(&table, "x", "/on-order/17"), "orders");
    }

    #[test]
    fn two_apps_with_one_path_are_named() {
        let apps = vec![
            app("one", None, &["/a", "/b"]),
            app("two", None, &["/b/"]),
            app("three", Some("x.org"), &["/b"]),
        ];
        let conflicts = RouteTable::new(apps).unwrap_err();
        let texts: Vec<_> = conflicts.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["apps `one` and `two` both claim /b/"]);
    }

    proptest! {
        /// The table agrees with the plain reading of the rule: of all prefixes that match, the one with the most
        /// segments.
        #[test]
        fn the_longest_prefix_wins(
            prefixes in proptest::collection::btree_set("(/[ab]{1,2}){0,4}", 1..8),
            path in "(/[ab]{1,2}){0,6}",
        ) {
            let apps: Vec<_> = prefixes
                .iter()
                .enumerate()
                .map(|(at, prefix)| app(&format!("app{at}"), None, &[prefix.as_str()]))
                .collect();
            let table = RouteTable::new(apps).unwrap();
            let expected = prefixes
                .iter()
                .enumerate()
                .filter(|(_, prefix)| path == **prefix || path.starts_with(&format!("{prefix}/")))
                .max_by_key(|(_, prefix)| prefix.len())
                .map(|(at, _)| format!("app{at}"))
                .unwrap_or_else(|| "nothing".to_owned());
            prop_assert_eq!(answer(&table, "x", &path), expected);
        }
    }
}
