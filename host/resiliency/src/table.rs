//! The circuit breakers of a host. They outlive the documents that they come from: a change of other policies must not
//! close a breaker that is open.

use crate::{
    breaker::BreakerState,
    breakers::{Breakers, Count},
    meters::{BreakerMeters, Labels},
    resolve::Direction,
};
use berth_resources::{AppId, CircuitBreakerPolicy, Namespace};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::time::Instant;

/// What a policy is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A backend.
    Component {
        /// Name of the document.
        name: String,
        /// Calls or deliveries.
        direction: Direction,
    },
    /// Calls to an app.
    App(AppId),
    /// Calls to every app that no document names.
    OtherApps,
}

impl Target {
    /// As metrics and listings name it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Component { name, .. } => name,
            Self::App(app) => app.as_str(),
            Self::OtherApps => "*",
        }
    }

    /// `inbound`, `outbound`, or `invocation` for calls to apps.
    #[must_use]
    pub fn direction(&self) -> &'static str {
        match self {
            Self::Component {
                direction: Direction::Inbound,
                ..
            } => "inbound",
            Self::Component { .. } => "outbound",
            Self::App(_) | Self::OtherApps => "invocation",
        }
    }
}

/// The circuit breakers of one app for one target, as people see them in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerStatus {
    /// The tenant.
    pub namespace: Namespace,
    /// Who calls, or receives.
    pub app: AppId,
    /// What is called.
    pub target: Target,
    /// How many are in which state, the worst first; for an app there is one for each method that was called.
    pub states: Vec<(BreakerState, usize)>,
}

impl BreakerStatus {
    /// The state that lets the least through. Without any breaker yet: closed.
    #[must_use]
    pub fn worst(&self) -> BreakerState {
        let states = self.states.iter().map(|(state, _)| *state);
        states.max().unwrap_or(BreakerState::Closed)
    }
}

/// Whose breakers, for what, under which policy: another policy has other breakers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    namespace: Namespace,
    app: AppId,
    target: Target,
    policy: CircuitBreakerPolicy,
    count: Count,
}

#[derive(Debug, Default)]
pub(crate) struct Table(Mutex<HashMap<Key, Arc<Breakers>>>);

impl Table {
    /// The breakers of a target: those that exist, or new ones.
    pub(crate) fn breakers(
        &self,
        labels: &Labels,
        policy: &CircuitBreakerPolicy,
        count: Count,
    ) -> Arc<Breakers> {
        let key = Key {
            namespace: labels.namespace.clone(),
            app: labels.app.clone(),
            target: labels.target.clone(),
            policy: policy.clone(),
            count,
        };
        let new = || {
            let meters = BreakerMeters::new(labels.clone());
            Arc::new(Breakers::new(policy, count, meters, Instant::now()))
        };
        self.0.lock().entry(key).or_insert_with(new).clone()
    }

    /// Forgets what neither the policies nor the apps of today need.
    pub(crate) fn retain(
        &self,
        is_policy: impl Fn(&CircuitBreakerPolicy) -> bool,
        is_app: impl Fn(&Namespace, &AppId) -> bool,
    ) {
        let is_needed = |key: &Key| is_policy(&key.policy) && is_app(&key.namespace, &key.app);
        self.0.lock().retain(|key, _| is_needed(key));
    }

    pub(crate) fn list(&self) -> Vec<BreakerStatus> {
        let now = Instant::now();
        let all = self.0.lock();
        let status = |(key, breakers): (&Key, &Arc<Breakers>)| BreakerStatus {
            namespace: key.namespace.clone(),
            app: key.app.clone(),
            target: key.target.clone(),
            states: breakers.states(now),
        };
        let mut all: Vec<_> = all.iter().map(status).collect();
        all.sort_by(|a, b| {
            (&a.namespace, &a.target, &a.app).cmp(&(&b.namespace, &b.target, &b.app))
        });
        all
    }
}
