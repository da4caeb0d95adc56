//! Apps and services that answer as the scenario says.

use crate::{journal::Invocation, probe::fits};
use berth_resources::scenario::{CannedAnswer, CannedApp};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Everybody who gives canned answers: by app ID, or by scheme and host.
#[derive(Debug, Default)]
pub(crate) struct Canned {
    apps: BTreeMap<String, CannedApp>,
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    /// How often each route has answered.
    counts: BTreeMap<(String, usize), usize>,
    /// Answers that a repeated request gets again: by route and idempotency key.
    kept: BTreeMap<(String, usize, String), CannedAnswer>,
}

/// What is answered.
pub(crate) enum Answered {
    /// This.
    With {
        answer: CannedAnswer,
        /// It was answered before.
        repeated: bool,
    },
    /// No route fits; those that there are.
    NoRoute(Vec<String>),
}

impl Canned {
    pub(crate) fn new(apps: BTreeMap<String, CannedApp>) -> Self {
        Self {
            apps,
            given: Mutex::default(),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.apps.contains_key(name)
    }

    /// The answer to a request; nothing, if nobody of this name gives any.
    pub(crate) fn answer(&self, request: &Invocation) -> Option<Answered> {
        let app = self.apps.get(&request.of)?;
        let found = app.routes.iter().enumerate().find(|(_, route)| {
            let method = route.method.as_deref();
            method.is_none_or(|method| method == request.method) && fits(&route.path, &request.path)
        });
        let Some((place, route)) = found else {
            let routes = app.routes.iter().map(|route| {
                let method = route.method.as_deref().unwrap_or("*");
                format!("`{method} {}`", route.path)
            });
            return Some(Answered::NoRoute(routes.collect()));
        };
        let mut given = self.given.lock();
        let key = route.idempotency.as_deref();
        let key = key.and_then(|name| header(request, name));
        let key = key.map(|key| (request.of.clone(), place, key.to_owned()));
        if let Some(kept) = key.as_ref().and_then(|key| given.kept.get(key)) {
            return Some(Answered::With {
                answer: kept.clone(),
                repeated: true,
            });
        }
        let count = given.counts.entry((request.of.clone(), place)).or_default();
        let answer = route.answers.get(*count).or(route.answers.last());
        *count += 1;
        let answer = answer.cloned().unwrap_or_default();
        if let Some(key) = key {
            given.kept.insert(key, answer.clone());
        }
        Some(Answered::With {
            answer,
            repeated: false,
        })
    }
}

fn header<'r>(request: &'r Invocation, name: &str) -> Option<&'r str> {
    let mut headers = request.headers.iter();
    let found = headers.find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}
