//! `kind: Resiliency` (dapr.io/v1alpha1): parsed and validated; the policies for deliveries apply, others not yet.

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
    /// Retry of deliveries by pub/sub backend: `targets.components.<name>.inbound.retry`, resolved to the policy.
    pub inbound_retries: Vec<(String, RetryPolicy)>,
    /// Backends with an entry of their own below `targets.components`. As in Dapr such an entry, even one without a
    /// retry, keeps the default policies away from that backend.
    pub targeted: Vec<String>,
    /// The retries among the policies whose name makes them a default, such as `DefaultRetryPolicy`.
    pub default_retries: Vec<(String, RetryPolicy)>,
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
        let default_retries = policies.default_retries();
        let only_inbound_retries = policies.timeouts.is_empty()
            && policies.circuit_breakers.is_empty()
            && default_retries.is_empty()
            && !targets.others;
        if !only_inbound_retries {
            let message =
                "resiliency is not applied yet, except inbound retries of pub/sub components";
            reading.warning(document.key_place("kind"), message);
        }
        Some(Self {
            name: head.name,
            namespace: head.namespace,
            scopes,
            inbound_retries: targets.inbound_retries,
            targeted: targets.components,
            default_retries,
            origin: head.origin,
        })
    }

    /// The retry of deliveries from this pub/sub backend: its own entry, else the most specific default policy.
    #[must_use]
    pub fn inbound_retry(&self, pubsub: &str) -> Option<&RetryPolicy> {
        const DEFAULTS: [&str; 4] = [
            "DefaultPubsubComponentInboundRetryPolicy",
            "DefaultComponentInboundRetryPolicy",
            "DefaultComponentRetryPolicy",
            "DefaultRetryPolicy",
        ];
        if self.targeted.iter().any(|name| name == pubsub) {
            return named(&self.inbound_retries, pubsub);
        }
        DEFAULTS
            .iter()
            .find_map(|name| named(&self.default_retries, name))
    }
}

fn named<'p>(policies: &'p [(String, RetryPolicy)], name: &str) -> Option<&'p RetryPolicy> {
    let found = policies.iter().find(|(known, _)| known == name);
    found.map(|(_, policy)| policy)
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
