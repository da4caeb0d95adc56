//! `spec.targets`: which policies hold for which apps, actors and components.

use super::{
    ActorTarget, AppTarget, CircuitBreakerScope, ComponentTarget, Policies, RetryPolicy,
    TargetPolicies,
    policies::{BUILT_IN, built_in},
};
use crate::{
    AppId, fields::Fields, node::quote, reader::Reading, suggest::did_you_mean, value::Field,
};

#[derive(Debug, Default)]
pub(super) struct Targets {
    pub apps: Vec<(AppId, AppTarget)>,
    pub components: Vec<(String, ComponentTarget)>,
    pub actors: Vec<(String, ActorTarget)>,
}

pub(super) fn read(
    mut fields: Fields<'_>,
    policies: &Policies,
    reading: &mut Reading<'_>,
) -> Targets {
    let mut targets = Targets::default();
    if let Some(field) = fields.optional("services", reading) {
        let message = "`spec.targets.services` is an old name, today's is `apps`";
        reading.warning(fields.key_place("services"), message);
        targets.apps = read_apps(&field, policies, reading);
    }
    if let Some(field) = fields.optional("apps", reading) {
        let apps = read_apps(&field, policies, reading);
        // An app that stands below both names has what stands below today's.
        let is_new = |(name, _): &(AppId, AppTarget)| !apps.iter().any(|(own, _)| own == name);
        targets.apps.retain(is_new);
        targets.apps.extend(apps);
    }
    if let Some(field) = fields.optional("actors", reading) {
        let message = "`spec.targets.actors` is not applied yet";
        reading.warning(fields.key_place("actors"), message);
        for (name, _, actor) in field.entries(reading) {
            let actor = read_actor(actor, policies, reading).unwrap_or_default();
            targets.actors.push((name.to_owned(), actor));
        }
    }
    if let Some(field) = fields.optional("components", reading) {
        for (name, _, component) in field.entries(reading) {
            let component = read_component(component, policies, reading).unwrap_or_default();
            targets.components.push((name.to_owned(), component));
        }
    }
    fields.finish(reading);
    targets
}

fn read_apps(
    field: &Field<'_>,
    policies: &Policies,
    reading: &mut Reading<'_>,
) -> Vec<(AppId, AppTarget)> {
    let mut apps = Vec::new();
    for (name, place, app) in field.entries(reading) {
        let name = name.parse::<AppId>();
        let app = app
            .fields(reading)
            .map(|fields| read_app(fields, policies, reading));
        match name {
            Ok(name) => apps.push((name, app.unwrap_or_default())),
            Err(error) => reading.error(place, error.to_string()),
        }
    }
    apps
}

fn read_app(mut app: Fields<'_>, policies: &Policies, reading: &mut Reading<'_>) -> AppTarget {
    let mut own = read_references(&mut app, policies, reading);
    let circuit_breakers_max = read_cache_size(&mut app, reading);
    for direction in ["outbound", "inbound"] {
        let Some(mut nested) = app.child(direction, reading) else {
            continue;
        };
        let message =
            format!("an app has no `{direction}`: its policies stand directly below its name");
        reading.warning(app.key_place(direction), message);
        let nested_policies = read_references(&mut nested, policies, reading);
        nested.finish(reading);
        own = own.or(nested_policies);
    }
    app.finish(reading);
    AppTarget {
        policies: own,
        circuit_breakers_max,
    }
}

impl TargetPolicies {
    /// Its own policies, and those of another for what it leaves open.
    fn or(self, other: Self) -> Self {
        Self {
            timeout: self.timeout.or(other.timeout),
            retry: self.retry.or(other.retry),
            circuit_breaker: self.circuit_breaker.or(other.circuit_breaker),
        }
    }
}

fn read_actor(
    field: Field<'_>,
    policies: &Policies,
    reading: &mut Reading<'_>,
) -> Option<ActorTarget> {
    let mut actor = field.fields(reading)?;
    let own = read_references(&mut actor, policies, reading);
    let circuit_breakers_max = read_cache_size(&mut actor, reading);
    let expected = "`type`, `id` or `both`, since there is a `circuitBreaker`";
    let scope = match actor.nullable("circuitBreaker") {
        Some(_) => actor.required("circuitBreakerScope", expected, reading),
        None => actor.optional("circuitBreakerScope", reading),
    };
    let scopes = [
        ("type", CircuitBreakerScope::Type),
        ("id", CircuitBreakerScope::Id),
        ("both", CircuitBreakerScope::Both),
    ];
    let circuit_breaker_scope = scope.and_then(|field| field.choice(&scopes, reading));
    actor.finish(reading);
    Some(ActorTarget {
        policies: own,
        circuit_breaker_scope,
        circuit_breakers_max,
    })
}

fn read_component(
    field: Field<'_>,
    policies: &Policies,
    reading: &mut Reading<'_>,
) -> Option<ComponentTarget> {
    let mut component = field.fields(reading)?;
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
    let mut read = |fields: Option<Fields<'_>>| {
        let Some(mut fields) = fields else {
            return TargetPolicies::default();
        };
        let own = read_references(&mut fields, policies, reading);
        fields.finish(reading);
        own
    };
    Some(ComponentTarget {
        outbound: read(outbound),
        inbound: read(inbound),
    })
}

fn read_cache_size(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<u32> {
    let field = fields.optional("circuitBreakerCacheSize", reading)?;
    field.count(1..=1_000_000, reading)
}

/// The names of a timeout, a retry and a circuit breaker, each of which must be defined.
fn read_references(
    fields: &mut Fields<'_>,
    policies: &Policies,
    reading: &mut Reading<'_>,
) -> TargetPolicies {
    let timeout = read_reference(
        fields,
        ("timeout", "timeouts"),
        &policies.timeouts,
        &[],
        reading,
    );
    let (name, list) = ("circuitBreaker", "circuitBreakers");
    let circuit_breaker = read_reference(
        fields,
        (name, list),
        &policies.circuit_breakers,
        &[],
        reading,
    );
    let retry = read_reference(
        fields,
        ("retry", "retries"),
        &policies.retries,
        &BUILT_IN,
        reading,
    );
    TargetPolicies {
        timeout: timeout.and_then(|name| named(&policies.timeouts, name)),
        retry: retry.and_then(|name| retry_named(&policies.retries, name)),
        circuit_breaker: circuit_breaker.and_then(|name| named(&policies.circuit_breakers, name)),
    }
}

fn retry_named(retries: &[(String, RetryPolicy)], name: &str) -> Option<RetryPolicy> {
    named(retries, name).or_else(|| built_in(name))
}

fn named<P: Clone>(policies: &[(String, P)], name: &str) -> Option<P> {
    let found = policies.iter().find(|(known, _)| known == name);
    found.map(|(_, policy)| policy.clone())
}

fn read_reference<'n, P>(
    fields: &mut Fields<'n>,
    (name, list): (&'static str, &str),
    defined: &[(String, P)],
    built_in: &[&str],
    reading: &mut Reading<'_>,
) -> Option<&'n str> {
    let field = fields.optional(name, reading)?;
    let text = field.text(reading)?;
    let defined = defined.iter().map(|(name, _)| name.as_str());
    let known: Vec<&str> = defined.chain(built_in.iter().copied()).collect();
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
