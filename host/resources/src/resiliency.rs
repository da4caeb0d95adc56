//! `kind: Resiliency` (dapr.io/v1alpha1): parsed and validated; the policies for deliveries apply, others not yet.

use crate::{AppId, Namespace, Origin};
use std::time::Duration;

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
    /// Where the document stands.
    pub origin: Origin,
}

/// When to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// How the pause grows.
    pub backoff: Backoff,
    /// Attempts after the first; absent: without end.
    pub max_retries: Option<u32>,
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
