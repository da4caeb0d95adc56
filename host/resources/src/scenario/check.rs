//! `then`: what holds after a step, or at the end.

use super::{
    apps::status,
    given::{StoreName, store_name},
    operation::OperationPattern,
    pattern::{MapPattern, Pattern, PatternKind},
    workflow::WorkflowCheck,
};
use crate::{
    AppId, Origin, fields::Fields, node::quote, reader::Reading, suggest::did_you_mean,
    value::Field,
};
use std::ops::RangeInclusive;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub origin: Origin,
}

/// What holds.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    /// Status of the answer to this step.
    pub status: Option<Located<u16>>,
    /// Headers of the answer.
    pub headers: MapPattern,
    /// Body of the answer, as text.
    pub body: Option<Pattern>,
    /// Body of the answer, as JSON.
    pub json: Option<Pattern>,
    /// Values by backend and key; `Absent` for keys that are not there.
    pub state: Vec<(StoreName, MapPattern, Origin)>,
    /// What guests published.
    pub published: Vec<Published>,
    /// Calls to other apps and to services outside.
    pub invocations: Vec<Invoked>,
    /// What guests wrote, and what the host warned of.
    pub logs: Lines,
    /// Names of spans.
    pub spans: Lines,
    /// How many block calls guests made.
    pub calls: Vec<Calls>,
    /// Workflow instances.
    pub workflows: Vec<WorkflowCheck>,
    /// Everything that there is to see is as it was when it was last accepted.
    pub snapshot: Option<Origin>,
}

/// What was published to a topic.
#[derive(Debug, Clone)]
pub struct Published {
    /// The backend; absent: whichever has the topic.
    pub pubsub: Option<String>,
    /// The topic.
    pub topic: String,
    /// The data of its messages.
    pub expected: Expected,
    /// Where it stands.
    pub origin: Origin,
}

/// What an app, or a service outside, was asked.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// App ID, or scheme and host.
    pub of: String,
    /// The requests.
    pub expected: Expected,
    /// Where it stands.
    pub origin: Origin,
}

/// How many, or which.
#[derive(Debug, Clone)]
pub enum Expected {
    /// So many.
    Count(Count),
    /// These, in their order, or as a pattern says.
    Items(Pattern),
}

/// How often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count(pub RangeInclusive<u32>);

/// How many block calls guests made.
#[derive(Debug, Clone)]
pub struct Calls {
    /// Which operations.
    pub call: OperationPattern,
    /// How many.
    pub count: Count,
    /// Where it stands.
    pub origin: Origin,
}

/// Lines that are there, and lines that are not.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    /// Each fits a line.
    pub contain: Vec<Pattern>,
    /// None fits any line.
    pub lack: Vec<Pattern>,
}

/// Fields of a request in `invocations`.
const REQUEST_FIELDS: [&str; 7] = [
    "method", "path", "query", "headers", "body", "json", "caller",
];

impl Checks {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_about_answer(&self) -> bool {
        self.status.is_some()
            || !self.headers.is_empty()
            || self.body.is_some()
            || self.json.is_some()
    }

    pub(super) fn read(mut fields: Fields<'_>, of_answer: bool, reading: &mut Reading<'_>) -> Self {
        let mut checks = Self::default();
        if of_answer {
            checks.read_answer(&mut fields, reading);
        }
        checks.read_world(&mut fields, reading);
        fields.finish(reading);
        checks
    }

    fn read_answer(&mut self, fields: &mut Fields<'_>, reading: &mut Reading<'_>) {
        self.status = fields.optional("status", reading).and_then(|field| {
            let value = status(&field, reading)?;
            let origin = reading.origin(field.place());
            Some(Located { value, origin })
        });
        if let Some(field) = fields.optional("headers", reading) {
            self.headers = map(&field, reading);
        }
        let body = fields.nullable("body");
        self.body = body.and_then(|field| Pattern::read(&field, reading));
        let json = fields.nullable("json");
        self.json = json.and_then(|field| Pattern::read(&field, reading));
    }

    fn read_world(&mut self, fields: &mut Fields<'_>, reading: &mut Reading<'_>) {
        if let Some(field) = fields.optional("state", reading) {
            for (name, place, own) in field.entries(reading) {
                if let Some(store) = store_name(name, &own, reading) {
                    let values = keys(&own, reading);
                    self.state.push((store, values, reading.origin(place)));
                }
            }
        }
        if let Some(field) = fields.optional("published", reading) {
            for (name, place, own) in field.entries(reading) {
                let (pubsub, topic) = match name.split_once('/') {
                    Some((pubsub, topic)) => (Some(pubsub.to_owned()), topic),
                    None => (None, name),
                };
                if let Some(expected) = Expected::read(&own, reading) {
                    self.published.push(Published {
                        pubsub,
                        topic: topic.to_owned(),
                        expected,
                        origin: reading.origin(place),
                    });
                }
            }
        }
        if let Some(field) = fields.optional("invocations", reading) {
            for (name, place, own) in field.entries(reading) {
                invoked_names(name, place, reading);
                if let Some(expected) = Expected::read(&own, reading) {
                    requests(&own, &expected, reading);
                    self.invocations.push(Invoked {
                        of: name.to_owned(),
                        expected,
                        origin: reading.origin(place),
                    });
                }
            }
        }
        self.logs = lines(fields, "logs", reading);
        self.spans = lines(fields, "spans", reading);
        if let Some(field) = fields.optional("calls", reading) {
            for (_, place, own) in field.entries(reading) {
                self.calls.extend(calls(&own, place, reading));
            }
        }
        if let Some(field) = fields.optional("workflows", reading) {
            for (name, place, own) in field.entries(reading) {
                self.workflows
                    .extend(WorkflowCheck::read(name, place, own, reading));
            }
        }
        let snapshot = fields.optional("snapshot", reading);
        self.snapshot = snapshot.and_then(|field| {
            let wanted = field.boolean(reading)?;
            wanted.then(|| reading.origin(field.place()))
        });
    }
}

fn map(field: &Field<'_>, reading: &mut Reading<'_>) -> MapPattern {
    let entries = field.entries(reading);
    let read = entries.into_iter().filter_map(|(name, _, own)| {
        let pattern = Pattern::read(&own, reading)?;
        Some((name.to_owned(), pattern))
    });
    read.collect()
}

/// Keys and their values; no value: no such key.
fn keys(field: &Field<'_>, reading: &mut Reading<'_>) -> MapPattern {
    let mut keys = map(field, reading);
    for (_, pattern) in &mut keys {
        if matches!(&pattern.kind, PatternKind::Exact(value) if value.is_null()) {
            pattern.kind = PatternKind::Absent;
        }
    }
    keys
}

fn invoked_names(name: &str, place: crate::node::Place, reading: &mut Reading<'_>) {
    let is_outside = name.starts_with("http://") || name.starts_with("https://");
    if !is_outside && let Err(error) = name.parse::<AppId>() {
        reading.error(place, format!("{}: {error}", quote(name)));
    }
}

/// Requests have known fields: a misspelt one would never fit.
fn requests(field: &Field<'_>, expected: &Expected, reading: &mut Reading<'_>) {
    if !matches!(expected, Expected::Items(_)) || field.node.map().is_some() {
        return;
    }
    for item in field.items(reading) {
        if item.node.map().is_none() {
            continue;
        }
        for (name, place, _) in item.entries(reading) {
            if !REQUEST_FIELDS.contains(&name) && !name.starts_with('$') {
                let meant = did_you_mean(name, REQUEST_FIELDS);
                let message = format!(
                    "unknown field {} in {}{meant}",
                    quote(name),
                    quote(&item.path)
                );
                let hint = format!("known here: `{}`", REQUEST_FIELDS.join("`, `"));
                reading.error_with_hint(place, message, hint);
            }
        }
    }
}

fn lines(fields: &mut Fields<'_>, name: &'static str, reading: &mut Reading<'_>) -> Lines {
    let Some(mut fields) = fields.child(name, reading) else {
        return Lines::default();
    };
    let mut list = |name, reading: &mut Reading<'_>| {
        let Some(field) = fields.optional(name, reading) else {
            return Vec::new();
        };
        let items = match field.node.scalar() {
            Some(_) => vec![field],
            None => field.items(reading),
        };
        let patterns = items
            .iter()
            .filter_map(|item| Pattern::read(item, reading).map(within_a_line));
        patterns.collect()
    };
    let lines = Lines {
        contain: list("contain", reading),
        lack: list("lack", reading),
    };
    fields.finish(reading);
    lines
}

/// A text is looked for anywhere in a line.
fn within_a_line(pattern: Pattern) -> Pattern {
    let origin = pattern.origin.clone();
    let kind = match &pattern.kind {
        PatternKind::Exact(_) => PatternKind::Contains(vec![pattern]),
        _ => return pattern,
    };
    Pattern { kind, origin }
}

fn calls(field: &Field<'_>, place: crate::node::Place, reading: &mut Reading<'_>) -> Option<Calls> {
    let name = field.path.rsplit_once("calls.").map(|(_, name)| name)?;
    let call = match name.parse::<OperationPattern>() {
        Ok(call) => call,
        Err(message) => {
            let meant = did_you_mean(name, super::OPERATIONS);
            let hint = format!("calls: {}", super::OPERATIONS.join(", "));
            reading.error_with_hint(place, format!("{message}{meant}"), hint);
            return None;
        }
    };
    Some(Calls {
        call,
        count: Count::read(field, reading)?,
        origin: reading.origin(place),
    })
}

impl Expected {
    fn read(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let counts = |name: &str| matches!(name, "at-most" | "at-least");
        let is_count = match field.node.map() {
            Some(entries) => entries.iter().any(|entry| counts(&entry.key)),
            None => field.node.scalar().is_some(),
        };
        if is_count {
            return Count::read(field, reading).map(Self::Count);
        }
        let pattern = Pattern::read(field, reading)?;
        if matches!(pattern.kind, PatternKind::Map(_)) {
            field.expected(reading, "a list, a number, or `{ at-most: ... }`");
            return None;
        }
        Some(Self::Items(pattern))
    }
}

impl Count {
    fn read(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        const MOST: u32 = 1_000_000;
        if field.node.map().is_none() {
            let count = field.count(0..=MOST, reading)?;
            return Some(Self(count..=count));
        }
        let mut fields = field.clone().fields(reading)?;
        let least = fields.optional("at-least", reading);
        let least = least.map_or(Some(0), |field| field.count(0..=MOST, reading));
        let most = fields.optional("at-most", reading);
        let most = most.map_or(Some(u32::MAX), |field| field.count(0..=MOST, reading));
        fields.finish(reading);
        Some(Self(least?..=most?))
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0.start(), self.0.end()) {
            (least, most) if least == most => write!(f, "{least}"),
            (0, most) => write!(f, "at most {most}"),
            (least, &u32::MAX) => write!(f, "at least {least}"),
            (least, most) => write!(f, "{least} to {most}"),
        }
    }
}
