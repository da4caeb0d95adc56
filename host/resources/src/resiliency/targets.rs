//! `spec.targets`: which policies hold for which apps, actors and components.

use super::{
    RetryPolicy,
    policies::{BUILT_IN, Policies, built_in},
};
use crate::{fields::Fields, node::quote, reader::Reading, suggest::did_you_mean, value::Field};

/// What applies in this version.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Components with an entry of their own.
    pub components: Vec<String>,
    pub inbound_retries: Vec<(String, RetryPolicy)>,
    /// Something else is targeted, which is read and checked but not applied.
    pub others: bool,
}

pub(super) fn read(
    mut fields: Fields<'_>,
    policies: &Policies,
    reading: &mut Reading<'_>,
) -> Targets {
    let mut targets = Targets::default();
    if let Some(field) = fields.optional("apps", reading) {
        targets.others = true;
        read_apps(&field, policies, reading);
    }
    if let Some(field) = fields.optional("services", reading) {
        targets.others = true;
        let message = "`spec.targets.services` is an old name, today's is `apps`";
        reading.warning(fields.key_place("services"), message);
        read_apps(&field, policies, reading);
    }
    if let Some(field) = fields.optional("actors", reading) {
        targets.others = true;
        for (_, _, actor) in field.entries(reading) {
            read_actor(actor, policies, reading);
        }
    }
    if let Some(field) = fields.optional("components", reading) {
        for (name, _, component) in field.entries(reading) {
            let (retry, others) = read_component(component, policies, reading);
            targets.others |= others;
            targets.components.push(name.to_owned());
            targets
                .inbound_retries
                .extend(retry.map(|policy| (name.to_owned(), policy)));
        }
    }
    fields.finish(reading);
    targets
}

fn read_apps(field: &Field<'_>, policies: &Policies, reading: &mut Reading<'_>) {
    for (name, place, app) in field.entries(reading) {
        if let Err(error) = name.parse::<crate::AppId>() {
            reading.error(place, error.to_string());
        }
        let Some(mut app) = app.fields(reading) else {
            continue;
        };
        read_references(&mut app, policies, reading);
        read_cache_size(&mut app, reading);
        for direction in ["outbound", "inbound"] {
            let Some(mut nested) = app.child(direction, reading) else {
                continue;
            };
            let message =
                format!("an app has no `{direction}`: its policies stand directly below its name");
            reading.warning(app.key_place(direction), message);
            read_references(&mut nested, policies, reading);
            nested.finish(reading);
        }
        app.finish(reading);
    }
}

fn read_actor(field: Field<'_>, policies: &Policies, reading: &mut Reading<'_>) {
    let Some(mut actor) = field.fields(reading) else {
        return;
    };
    read_references(&mut actor, policies, reading);
    read_cache_size(&mut actor, reading);
    let expected = "`type`, `id` or `both`, since there is a `circuitBreaker`";
    let scope = match actor.nullable("circuitBreaker") {
        Some(_) => actor.required("circuitBreakerScope", expected, reading),
        None => actor.optional("circuitBreakerScope", reading),
    };
    if let Some(field) = scope {
        field.choice(&[("type", ()), ("id", ()), ("both", ())], reading);
    }
    actor.finish(reading);
}

/// The inbound retry, if there is one, and whether there is an outbound entry.
fn read_component(
    field: Field<'_>,
    policies: &Policies,
    reading: &mut Reading<'_>,
) -> (Option<RetryPolicy>, bool) {
    let Some(mut component) = field.fields(reading) else {
        return (None, false);
    };
    let outbound = component.child("outbound", reading);
    let inbound = component.child("inbound", reading);
    for name in ["timeout", "retry", "circuitBreaker"] {
        if component.nullable(name).is_some() {
            let message =
                format!("`{name}` of a component must stand below `inbound` or `outbound`");
            reading.error(component.key_place(name), message);
        }
    }
    component.finish(reading);
    let others = outbound.is_some();
    if let Some(mut outbound) = outbound {
        read_references(&mut outbound, policies, reading);
        outbound.finish(reading);
    }
    let Some(mut inbound) = inbound else {
        return (None, others);
    };
    let retry = read_references(&mut inbound, policies, reading);
    inbound.finish(reading);
    (retry, others)
}

fn read_cache_size(fields: &mut Fields<'_>, reading: &mut Reading<'_>) {
    if let Some(field) = fields.optional("circuitBreakerCacheSize", reading) {
        field.count(1..=1_000_000, reading);
    }
}

/// The names of a timeout, a retry and a circuit breaker, each of which must be defined. Returns the retry.
fn read_references(
    fields: &mut Fields<'_>,
    policies: &Policies,
    reading: &mut Reading<'_>,
) -> Option<RetryPolicy> {
    let timeouts = policies.timeouts.iter().map(String::as_str);
    read_reference(fields, ("timeout", "timeouts"), timeouts.collect(), reading);
    let breakers = policies.circuit_breakers.iter().map(String::as_str);
    read_reference(
        fields,
        ("circuitBreaker", "circuitBreakers"),
        breakers.collect(),
        reading,
    );
    let retries = policies
        .retries
        .iter()
        .map(|(name, _)| name.as_str())
        .chain(BUILT_IN);
    let name = read_reference(fields, ("retry", "retries"), retries.collect(), reading)?;
    let own = policies.retries.iter().find(|(known, _)| known == name);
    own.map(|(_, policy)| policy.clone())
        .or_else(|| built_in(name))
}

fn read_reference<'n>(
    fields: &mut Fields<'n>,
    (name, list): (&'static str, &str),
    known: Vec<&str>,
    reading: &mut Reading<'_>,
) -> Option<&'n str> {
    let field = fields.optional(name, reading)?;
    let text = field.text(reading)?;
    if known.contains(&text) {
        return Some(text);
    }
    let meant = did_you_mean(text, known);
    field.refuse(
        reading,
        format!(
            "no policy {} below `spec.policies.{list}`{meant}",
            quote(text)
        ),
    );
    None
}
