//! `kind: Subscription` (dapr.io/v1alpha1 and v2alpha1): which topic goes to which route.

use crate::{
    AppId, Namespace, Origin,
    document::{Head, scopes},
    expression,
    fields::Fields,
    node::quote,
    reader::Reading,
    value::Field,
};
use std::{ops::RangeInclusive, time::Duration};

/// A declared subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// `metadata.name`.
    pub name: String,
    /// The tenant.
    pub namespace: Namespace,
    /// `spec.pubsubname`.
    pub pubsub: String,
    /// Where `spec.pubsubname` stands: the place of errors about a backend that does not exist.
    pub pubsub_origin: Origin,
    /// `spec.topic`.
    pub topic: String,
    /// Tried in order; the first match wins.
    pub rules: Vec<Rule>,
    /// Where messages go that no rule matches; absent: they are dropped.
    pub default_route: Option<String>,
    /// `spec.deadLetterTopic`.
    pub dead_letter_topic: Option<String>,
    /// `spec.bulkSubscribe`, if enabled.
    pub bulk: Option<BulkSettings>,
    /// `spec.metadata`, such as `rawPayload`.
    pub metadata: Vec<(String, String)>,
    /// Declared by the guest itself, in code; else by a document.
    pub in_code: bool,
    /// Apps that it applies to; empty: all of the namespace.
    pub scopes: Vec<AppId>,
    /// Where the document stands.
    pub origin: Origin,
}

/// One routing rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// CEL over `event`; empty: always.
    pub expression: String,
    /// Route to deliver to.
    pub path: String,
}

/// Delivery of several messages in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkSettings {
    /// Most messages of one call; Dapr's default is 100.
    pub max_messages: u32,
    /// Longest wait for a batch to fill; Dapr's default is 1 s.
    pub max_await: Duration,
}

/// Most messages of a batch.
const BATCH: RangeInclusive<u32> = 1..=10_000;
/// Longest wait for a batch in milliseconds.
const AWAIT: RangeInclusive<u32> = 1..=3_600_000;

impl BulkSettings {
    /// Settings as a guest declares them: 0 stands for the default, and what is too large for the largest.
    #[must_use]
    pub fn declared(max_messages: u32, max_await_ms: u32) -> Self {
        let or_default = |value: u32, range: RangeInclusive<u32>| {
            (value != 0).then(|| value.clamp(*range.start(), *range.end()))
        };
        Self::new(
            or_default(max_messages, BATCH),
            or_default(max_await_ms, AWAIT),
        )
    }

    fn new(max_messages: Option<u32>, max_await_ms: Option<u32>) -> Self {
        Self {
            max_messages: max_messages.unwrap_or(100),
            max_await: Duration::from_millis(max_await_ms.unwrap_or(1_000).into()),
        }
    }
}

impl Subscription {
    pub(crate) fn read(
        head: Head,
        document: &mut Fields<'_>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let scopes = scopes(document, reading);
        let spec = document.required("spec", "a map with `pubsubname` and `topic`", reading)?;
        let mut spec = spec.fields(reading)?;
        let pubsub = spec.required("pubsubname", "the name of a pub/sub backend", reading);
        let pubsub_origin = reading.origin(pubsub.as_ref().map_or(spec.place(), Field::place));
        let pubsub = pubsub.and_then(|field| field.text(reading));
        let topic = spec.required("topic", "the name of a topic", reading);
        let topic = topic.and_then(|field| field.text(reading));
        let routes = read_routes(&head.version, &mut spec, reading);
        let dead_letter_topic = read_dead_letter(&mut spec, topic, reading);
        let bulk = spec.child("bulkSubscribe", reading);
        let bulk = bulk.and_then(|fields| read_bulk(fields, reading));
        let metadata = spec.optional("metadata", reading);
        let metadata = metadata
            .map(|field| read_metadata(&field, reading))
            .unwrap_or_default();
        spec.finish(reading);
        let (rules, default_route) = routes?;
        Some(Self {
            name: head.name,
            namespace: head.namespace,
            pubsub: pubsub?.to_owned(),
            pubsub_origin,
            in_code: false,
            topic: topic?.to_owned(),
            rules,
            default_route,
            dead_letter_topic,
            bulk,
            metadata,
            scopes,
            origin: head.origin,
        })
    }
}

type Routes = (Vec<Rule>, Option<String>);

/// v1alpha1 has one `route`, v2alpha1 has `routes`; one in the place of the other says so.
fn read_routes(version: &str, spec: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<Routes> {
    let (own, other, hint) = if version == "v1alpha1" {
        (
            "route",
            "routes",
            "use `route: /path`, or apiVersion `dapr.io/v2alpha1`",
        )
    } else {
        (
            "routes",
            "route",
            "use `routes: { default: /path }`, or apiVersion `dapr.io/v1alpha1`",
        )
    };
    if spec.nullable(other).is_some() {
        let message = format!("`spec.{other}` does not exist in `dapr.io/{version}`");
        reading.error_with_hint(spec.key_place(other), message, hint);
        // Known, so that its absence is not reported as well.
        spec.ignore(&["route", "routes"]);
        return None;
    }
    if own == "route" {
        let field = spec.required("route", "a path such as `/orders`", reading)?;
        return Some((Vec::new(), Some(read_route(&field, reading)?)));
    }
    let field = spec.required("routes", "a map with a `default` or `rules`", reading)?;
    read_rules(field.fields(reading)?, reading)
}

fn read_rules(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<Routes> {
    let default = fields.optional("default", reading);
    let has_default = default.is_some();
    let default = default.and_then(|field| read_route(&field, reading));
    let list = fields.optional("rules", reading);
    let items = list.map(|field| field.items(reading)).unwrap_or_default();
    if !has_default && items.is_empty() && !fields.has_unknown() {
        reading.error(
            fields.place(),
            "`spec.routes` is empty, expected a `default` or `rules`",
        );
    }
    let mut rules: Vec<Rule> = Vec::new();
    for item in items {
        if rules.last().is_some_and(|rule| rule.expression.is_empty()) {
            let message = format!(
                "{} is never reached: the rule before it always matches",
                quote(&item.path)
            );
            reading.warning(item.place(), message);
        }
        rules.extend(read_rule(item, reading));
    }
    fields.finish(reading);
    Some((rules, default))
}

fn read_rule(field: Field<'_>, reading: &mut Reading<'_>) -> Option<Rule> {
    let mut fields = field.fields(reading)?;
    let expression = fields.nullable("match").and_then(|field| {
        let text = field.any_text(reading)?.trim();
        if !text.is_empty() {
            expression::check(&field, text, &["event"], reading);
        }
        Some(text.to_owned())
    });
    let path = fields.required("path", "a path such as `/orders`", reading);
    let path = path.and_then(|field| read_route(&field, reading));
    fields.finish(reading);
    Some(Rule {
        expression: expression.unwrap_or_default(),
        path: path?,
    })
}

/// A route, always with a slash in front: Dapr takes it with and without.
fn read_route(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.text(reading)?;
    if text.contains(|c: char| c.is_whitespace() || c == '#') {
        field.refuse(
            reading,
            format!("expected a path such as `/orders`, found {}", quote(text)),
        );
        return None;
    }
    Some(format!("/{}", text.trim_start_matches('/')))
}

fn read_dead_letter(
    spec: &mut Fields<'_>,
    topic: Option<&str>,
    reading: &mut Reading<'_>,
) -> Option<String> {
    let field = spec.optional("deadLetterTopic", reading)?;
    let text = field.text(reading)?;
    if topic == Some(text) {
        field.refuse(
            reading,
            "a topic cannot be its own dead-letter topic: a message that fails would never end",
        );
    }
    Some(text.to_owned())
}

fn read_bulk(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Option<BulkSettings> {
    let enabled = fields.required("enabled", "`true` or `false`", reading);
    let enabled = enabled.and_then(|field| field.boolean(reading));
    let max_messages = fields.optional("maxMessagesCount", reading);
    let max_messages = max_messages.and_then(|field| field.count(BATCH, reading));
    let max_await = fields.optional("maxAwaitDurationMs", reading);
    let max_await = max_await.and_then(|field| field.count(AWAIT, reading));
    fields.finish(reading);
    enabled.filter(|enabled| *enabled)?;
    Some(BulkSettings::new(max_messages, max_await))
}

fn read_metadata(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<(String, String)> {
    let mut metadata = Vec::new();
    for (name, _, value) in field.entries(reading) {
        let Some(text) = value.any_text(reading) else {
            continue;
        };
        if name.eq_ignore_ascii_case("rawPayload") && !is_go_boolean(text) {
            value.refuse(
                reading,
                format!("expected `true` or `false`, found {}", quote(text)),
            );
        }
        metadata.push((name.to_owned(), text.to_owned()));
    }
    metadata
}

/// What Go's `ParseBool` takes, by which Dapr reads this flag.
fn is_go_boolean(text: &str) -> bool {
    matches!(
        text,
        "1" | "t" | "T" | "TRUE" | "true" | "True" | "0" | "f" | "F" | "FALSE" | "false" | "False"
    )
}
