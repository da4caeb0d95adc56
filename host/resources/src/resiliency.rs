//! `kind: Resiliency` (dapr.io/v1alpha1): parsed and validated. `berth-resiliency` resolves and applies it.

mod policies;
mod targets;

use crate::{
    AppId, Namespace, Origin,
    document::{Head, scopes},
    fields::Fields,
    reader::Reading,
};
use std::{ops::RangeInclusive, time::Duration};

/// A resiliency document.
#[derive(Debug, Clone, PartialEq)]
pub struct Resiliency {
    /// `metadata.name`.
    pub name: String,
    /// The tenant.
    pub namespace: Namespace,
    /// Apps that it applies to; empty: all of the namespace.
    pub scopes: Vec<AppId>,
    /// `spec.policies`, by name. Those that no target refers to count as well: some names make a policy a default.
    pub policies: Policies,
    /// `spec.targets.apps`: calls to these apps.
    pub apps: Vec<(AppId, AppTarget)>,
    /// `spec.targets.components`: calls to backends and deliveries from them. As in Dapr such an entry, even one without
    /// a policy, keeps the default policies away from that backend.
    pub components: Vec<(String, ComponentTarget)>,
    /// `spec.targets.actors`, by type. Nothing applies them.
    pub actors: Vec<(String, ActorTarget)>,
    /// Where the document stands.
    pub origin: Origin,
}

impl Resiliency {
    pub(crate) fn read(
        head: Head,
        document: &mut Fields<'_>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let scopes = scopes(document, reading);
        let spec = document.required("spec", "a map with `policies` and `targets`", reading)?;
        let mut spec = spec.fields(reading)?;
        let policies = spec.child("policies", reading);
        let policies = policies
            .map(|fields| policies::read(fields, reading))
            .unwrap_or_default();
        let targets = spec.child("targets", reading);
        let targets = targets
            .map(|fields| targets::read(fields, &policies, reading))
            .unwrap_or_default();
        spec.finish(reading);
        Some(Self {
            name: head.name,
            namespace: head.namespace,
            scopes,
            policies,
            apps: targets.apps,
            components: targets.components,
            actors: targets.actors,
            origin: head.origin,
        })
    }

    /// Whether it applies to an app of its namespace.
    #[must_use]
    pub fn applies_to(&self, app: &AppId) -> bool {
        self.scopes.is_empty() || self.scopes.contains(app)
    }
}

/// Policies by name, in the order of the document.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policies {
    /// `timeouts`: the longest that one attempt may take; zero: no limit.
    pub timeouts: Vec<(String, Duration)>,
    /// `retries`
    pub retries: Vec<(String, RetryPolicy)>,
    /// `circuitBreakers`
    pub circuit_breakers: Vec<(String, CircuitBreakerPolicy)>,
}

/// The policies of one target, resolved from their names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TargetPolicies {
    /// The longest that one attempt may take; zero: no limit.
    pub timeout: Option<Duration>,
    /// When to try again.
    pub retry: Option<RetryPolicy>,
    /// When not to try at all.
    pub circuit_breaker: Option<CircuitBreakerPolicy>,
}

/// An entry of `targets.apps`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AppTarget {
    /// For calls to it.
    pub policies: TargetPolicies,
    /// `circuitBreakerCacheSize`: most circuit breakers, one for each method that is called; absent: Dapr's 100.
    pub circuit_breakers_max: Option<u32>,
}

/// An entry of `targets.components`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ComponentTarget {
    /// Deliveries to apps.
    pub inbound: TargetPolicies,
    /// Calls to the backend.
    pub outbound: TargetPolicies,
}

/// An entry of `targets.actors`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ActorTarget {
    /// For calls to actors of the type.
    pub policies: TargetPolicies,
    /// What has a circuit breaker of its own; set if there is a circuit breaker.
    pub circuit_breaker_scope: Option<CircuitBreakerScope>,
    /// `circuitBreakerCacheSize`
    pub circuit_breakers_max: Option<u32>,
}

/// What has a circuit breaker of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitBreakerScope {
    /// The type.
    Type,
    /// Each actor.
    Id,
    /// Both.
    Both,
}

/// When a target is left alone because it keeps failing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CircuitBreakerPolicy {
    /// `maxRequests`: attempts that a half-open breaker lets through at the same time, and successes that close it.
    pub max_requests: u32,
    /// `interval`: how often a closed breaker forgets what it has counted; zero: never.
    pub interval: Duration,
    /// `timeout`: how long an open breaker lets nothing through.
    pub timeout: Duration,
    /// `trip`: the CEL expression that opens the breaker; absent: Dapr's `consecutiveFailures > 5`.
    pub trip: Option<String>,
}

impl CircuitBreakerPolicy {
    /// Names that `trip` may use, each a count since the breaker last forgot.
    pub const COUNTS: [&str; 5] = [
        "requests",
        "totalSuccesses",
        "totalFailures",
        "consecutiveSuccesses",
        "consecutiveFailures",
    ];
}

/// As in Dapr: 1 request at a time, an interval without end, 60 s, more than 5 failures in a row.
impl Default for CircuitBreakerPolicy {
    fn default() -> Self {
        Self {
            max_requests: 1,
            interval: Duration::ZERO,
            timeout: Duration::from_secs(60),
            trip: None,
        }
    }
}

/// When to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// How the pause grows.
    pub backoff: Backoff,
    /// Attempts after the first; absent: without end.
    pub max_retries: Option<u32>,
    /// Which answers are worth another attempt; absent: every failure.
    pub matching: Option<Matching>,
}

impl RetryPolicy {
    /// The policy that Dapr brings along under a name, such as `DaprBuiltInServiceRetries`.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        policies::built_in(name)
    }
}

/// As in Dapr: every 5 s, without end, after every failure.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            backoff: Backoff::Constant(Duration::from_secs(5)),
            max_retries: None,
            matching: None,
        }
    }
}

/// Answers that are worth another attempt. A list that is absent matches every status of its protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matching {
    /// `httpStatusCodes`: 100 to 599.
    pub http: Option<Vec<RangeInclusive<u16>>>,
    /// `gRPCStatusCodes`: 0 to 16.
    pub grpc: Option<Vec<RangeInclusive<u16>>>,
}

impl Matching {
    /// Whether an HTTP answer with this status is worth another attempt.
    #[must_use]
    pub fn http_status(&self, status: u16) -> bool {
        matches(self.http.as_deref(), status)
    }

    /// Whether a gRPC answer with this code is worth another attempt.
    #[must_use]
    pub fn grpc_code(&self, code: u16) -> bool {
        matches(self.grpc.as_deref(), code)
    }
}

fn matches(ranges: Option<&[RangeInclusive<u16>]>, code: u16) -> bool {
    ranges.is_none_or(|ranges| ranges.iter().any(|range| range.contains(&code)))
}

/// How the pause between attempts grows.
#[derive(Debug, Clone, PartialEq)]
pub enum Backoff {
    /// The same pause each time.
    Constant(Duration),
    /// 0.5 s, then 1.5 times more each time, up to this.
    Exponential {
        /// Longest pause.
        max_interval: Duration,
    },
}
