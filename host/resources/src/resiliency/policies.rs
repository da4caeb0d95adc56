//! `spec.policies`: timeouts, retries and circuit breakers by name.

use super::{Backoff, CircuitBreakerPolicy, Matching, Policies, RetryPolicy};
use crate::{
    expression,
    fields::Fields,
    node::{Place, quote},
    reader::Reading,
    suggest::did_you_mean,
    value::Field,
};
use std::{ops::RangeInclusive, time::Duration};

/// The policies that Dapr brings along: a document may refer to them and, but for the last, define them anew.
pub(super) const BUILT_IN: [&str; 5] = [
    "DaprBuiltInServiceRetries",
    "DaprBuiltInActorRetries",
    "DaprBuiltInActorReminderRetries",
    "DaprBuiltInInitializationRetries",
    PROTECTED,
];
const PROTECTED: &str = "DaprBuiltInActorNotFoundRetries";

/// One of Dapr's own policies.
pub(super) fn built_in(name: &str) -> Option<RetryPolicy> {
    let constant = |retries| RetryPolicy {
        backoff: Backoff::Constant(Duration::from_secs(1)),
        max_retries: Some(retries),
        matching: None,
    };
    let exponential = |seconds, max_retries| RetryPolicy {
        backoff: Backoff::Exponential {
            max_interval: Duration::from_secs(seconds),
        },
        max_retries,
        matching: None,
    };
    Some(match name {
        "DaprBuiltInServiceRetries" | "DaprBuiltInActorRetries" => constant(3),
        "DaprBuiltInActorReminderRetries" => exponential(60, None),
        "DaprBuiltInInitializationRetries" => exponential(1, Some(3)),
        PROTECTED => constant(5),
        _ => return None,
    })
}

/// Dapr raises a lower number of retries of its own policies to this.
const BUILT_IN_RETRIES_MIN: u32 = 3;

pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Policies {
    let mut policies = Policies::default();
    for (name, place, field) in entries(fields.optional("timeouts", reading), reading) {
        check_default(name, "Timeout", place, reading);
        let timeout = field.duration_or_millis(reading).unwrap_or_default();
        policies.timeouts.push((name.to_owned(), timeout));
    }
    for (name, place, field) in entries(fields.optional("retries", reading), reading) {
        check_default(name, "Retry", place, reading);
        if name == PROTECTED {
            reading.error(
                place,
                format!("the policy {} cannot be defined anew", quote(name)),
            );
        }
        let retry = field
            .fields(reading)
            .map(|fields| read_retry(fields, reading));
        let mut retry = retry.unwrap_or_default();
        if BUILT_IN.contains(&name) {
            raise_retries(&mut retry, name, place, reading);
        }
        policies.retries.push((name.to_owned(), retry));
    }
    for (name, place, field) in entries(fields.optional("circuitBreakers", reading), reading) {
        check_default(name, "CircuitBreaker", place, reading);
        let breaker = field
            .fields(reading)
            .map(|fields| read_circuit_breaker(fields, reading));
        let breaker = breaker.unwrap_or_default();
        policies.circuit_breakers.push((name.to_owned(), breaker));
    }
    fields.finish(reading);
    policies
}

/// A name that looks like that of a default policy and is none would apply to nothing.
fn check_default(name: &str, kind: &str, place: Place, reading: &mut Reading<'_>) {
    let looks_like_one = name.starts_with("Default") && name.ends_with("Policy");
    if !looks_like_one || default_names(kind).any(|known| known == name) {
        return;
    }
    let known: Vec<_> = default_names(kind).collect();
    let meant = did_you_mean(name, known.iter().map(String::as_str));
    let message = format!(
        "{} does not name a default policy of this kind{meant}",
        quote(name)
    );
    reading.warning(place, message);
}

/// The names that make a policy a default, as Dapr composes them.
fn default_names(kind: &str) -> impl Iterator<Item = String> {
    const BLOCKS: [&str; 8] = [
        "Binding",
        "Configuration",
        "Conversation",
        "Crypto",
        "Lock",
        "Pubsub",
        "Secretstore",
        "Statestore",
    ];
    const OTHERS: [&str; 6] = [
        "",
        "App",
        "Actor",
        "Component",
        "ComponentInbound",
        "ComponentOutbound",
    ];
    let of_blocks = BLOCKS.iter().flat_map(|block| {
        ["Inbound", "Outbound"].map(|direction| format!("{block}Component{direction}"))
    });
    let levels = OTHERS.iter().map(ToString::to_string).chain(of_blocks);
    levels.map(move |level| format!("Default{level}{kind}Policy"))
}

fn raise_retries(retry: &mut RetryPolicy, name: &str, place: Place, reading: &mut Reading<'_>) {
    if retry.max_retries >= Some(BUILT_IN_RETRIES_MIN) {
        return;
    }
    retry.max_retries = Some(BUILT_IN_RETRIES_MIN);
    let message = format!(
        "the policy {} has {BUILT_IN_RETRIES_MIN} retries, the least that Dapr allows it",
        quote(name)
    );
    reading.warning(place, message);
}

type Entry<'n> = (&'n str, Place, Field<'n>);

fn entries<'n>(field: Option<Field<'n>>, reading: &mut Reading<'_>) -> Vec<Entry<'n>> {
    field
        .map(|field| field.entries(reading))
        .unwrap_or_default()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growth {
    Constant,
    Exponential,
}

fn read_retry(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> RetryPolicy {
    const MAX_INTERVAL: Duration = Duration::from_secs(60);
    const DURATION: Duration = Duration::from_secs(5);
    let choices = [
        ("constant", Growth::Constant),
        ("exponential", Growth::Exponential),
    ];
    let growth = fields.optional("policy", reading);
    let growth = growth
        .and_then(|field| field.choice(&choices, reading))
        .unwrap_or(Growth::Constant);
    let duration = pause(&mut fields, "duration", growth == Growth::Constant, reading);
    let max_interval = pause(
        &mut fields,
        "maxInterval",
        growth == Growth::Exponential,
        reading,
    );
    let backoff = match growth {
        Growth::Constant => Backoff::Constant(duration.unwrap_or(DURATION)),
        Growth::Exponential => Backoff::Exponential {
            max_interval: max_interval.unwrap_or(MAX_INTERVAL),
        },
    };
    let max_retries = fields.optional("maxRetries", reading);
    let max_retries = max_retries.and_then(|field| field.integer(-1..=1_000_000, reading));
    let matching = fields
        .child("matching", reading)
        .map(|fields| read_matching(fields, reading));
    // -1 is no u32, and no limit.
    let max_retries = max_retries.and_then(|count| u32::try_from(count).ok());
    if backoff == Backoff::Constant(Duration::ZERO) && max_retries.is_none() {
        let message =
            "retries without a pause and without end keep the host busy: set `maxRetries`";
        reading.warning(fields.key_place("duration"), message);
    }
    fields.finish(reading);
    RetryPolicy {
        backoff,
        max_retries,
        matching,
    }
}

fn pause(
    fields: &mut Fields<'_>,
    name: &'static str,
    used: bool,
    reading: &mut Reading<'_>,
) -> Option<Duration> {
    let field = fields.optional(name, reading)?;
    let duration = field.duration_or_millis(reading)?;
    if !used {
        let policy = if name == "duration" {
            "exponential"
        } else {
            "constant"
        };
        let message = format!(
            "{} has no effect with policy `{policy}`",
            quote(&field.path)
        );
        reading.warning(fields.key_place(name), message);
    }
    Some(duration)
}

fn read_matching(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Matching {
    let http = fields.optional("httpStatusCodes", reading);
    let http = http.and_then(|field| read_codes(&field, 100..=599, reading));
    let grpc = fields.optional("gRPCStatusCodes", reading);
    let grpc = grpc.and_then(|field| read_codes(&field, 0..=16, reading));
    fields.finish(reading);
    Matching { http, grpc }
}

/// `429,500-599`; a single number may stand unquoted.
fn read_codes(
    field: &Field<'_>,
    legal: RangeInclusive<u16>,
    reading: &mut Reading<'_>,
) -> Option<Vec<RangeInclusive<u16>>> {
    let text = field.any_text(reading)?;
    let code = |text: &str| {
        text.trim()
            .parse::<u16>()
            .ok()
            .filter(|code| legal.contains(code))
    };
    let range = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let range = code(low)?..=code(high)?;
        (!range.is_empty()).then_some(range)
    };
    let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
    if ranges.is_none() {
        let (low, high) = (legal.start(), legal.end());
        let expected = format!(
            "expected codes from {low} to {high}, such as `{}`",
            example(&legal)
        );
        field.refuse(reading, format!("{expected}, found {}", quote(text)));
    }
    ranges
}

fn example(legal: &RangeInclusive<u16>) -> &'static str {
    if legal.contains(&429) {
        "429,500-599"
    } else {
        "2,13-14"
    }
}

fn read_circuit_breaker(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> CircuitBreakerPolicy {
    let usual = CircuitBreakerPolicy::default();
    let max_requests = fields.optional("maxRequests", reading);
    let max_requests = max_requests.and_then(|field| field.count(1..=1_000_000, reading));
    let mut duration = |name| {
        let field = fields.optional(name, reading)?;
        field.duration_or_millis(reading)
    };
    let (interval, timeout) = (duration("interval"), duration("timeout"));
    let trip = fields.optional("trip", reading).and_then(|field| {
        let source = field.text(reading)?;
        expression::check_condition(&field, source, &CircuitBreakerPolicy::COUNTS, reading);
        Some(source.to_owned())
    });
    fields.finish(reading);
    CircuitBreakerPolicy {
        max_requests: max_requests.unwrap_or(usual.max_requests),
        interval: interval.unwrap_or(usual.interval),
        // Zero means the default, as in Dapr.
        timeout: timeout
            .filter(|timeout| !timeout.is_zero())
            .unwrap_or(usual.timeout),
        trip,
    }
}
