//! From documents to the policies of one target.

use crate::{
    breakers::{Breakers, Count},
    meters::{Labels, Meters},
    policy::{Policy, RetriedAfter, Retries},
    table::{BreakerStatus, Table, Target},
};
use berth_resources::{
    AppId, CircuitBreakerPolicy, Namespace, Policies, Resiliency, RetryPolicy, TargetPolicies,
};
use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

/// Breakers of one app that no document sizes (Dapr's default).
const ENDPOINTS_DEFAULT: u32 = 100;
/// Breakers of all apps together that only a default policy covers.
const ENDPOINTS_OF_OTHERS: u32 = 1_000;
/// The policy for invocations that nothing else covers.
const SERVICE_RETRIES: &str = "DaprBuiltInServiceRetries";

/// Which way calls of a component go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the backend to an app: deliveries.
    Inbound,
    /// From an app to the backend.
    Outbound,
}

/// The building block of a component, as the names of default policies call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentKind {
    /// `state.*`
    Statestore,
    /// `pubsub.*`
    Pubsub,
    /// `secretstores.*`
    Secretstore,
}

impl ComponentKind {
    fn name(self) -> &'static str {
        match self {
            Self::Statestore => "Statestore",
            Self::Pubsub => "Pubsub",
            Self::Secretstore => "Secretstore",
        }
    }
}

/// The Resiliency documents of a host. A changed set of documents is a new value, which takes the circuit breakers of
/// the one before with it.
#[derive(Debug)]
pub struct Resiliencies {
    documents: Vec<Resiliency>,
    breakers: Arc<Table>,
    jitter: fn() -> f64,
}

/// No documents: invocations have Dapr's built-in retries, everything else has no policy.
impl Default for Resiliencies {
    fn default() -> Self {
        Self {
            documents: Vec::new(),
            breakers: Arc::default(),
            jitter: rand::random,
        }
    }
}

/// The policies for calls of one app to others.
#[derive(Debug)]
pub struct AppPolicies {
    own: AppId,
    named: HashMap<AppId, Option<Arc<Policy>>>,
    others: Option<Arc<Policy>>,
    /// `others` is what Dapr has built in.
    is_built_in: bool,
}

impl AppPolicies {
    /// The policies for calls to an app.
    #[must_use]
    pub fn of(&self, app: &AppId) -> Option<&Arc<Policy>> {
        match self.named.get(app) {
            Some(named) => named.as_ref(),
            // As in Dapr: an app reaches itself without the built-in retries.
            None if self.is_built_in && *app == self.own => None,
            None => self.others.as_ref(),
        }
    }
}

impl Resiliencies {
    /// The policies of these documents, in the order of their places. Circuit breakers of `before` go on as they are if
    /// their own policy is unchanged; those of apps that are gone are forgotten.
    #[must_use]
    pub fn new(
        documents: Vec<Resiliency>,
        before: Option<&Self>,
        is_app: impl Fn(&Namespace, &AppId) -> bool,
    ) -> Self {
        let Some(before) = before else {
            return Self {
                documents,
                ..Self::default()
            };
        };
        // The policies of before count too: this set may yet be refused.
        let policies = || documents.iter().chain(&before.documents);
        let mut breakers = policies().flat_map(|own| &own.policies.circuit_breakers);
        let known: Vec<_> = breakers.by_ref().map(|(_, policy)| policy).collect();
        before
            .breakers
            .retain(|policy| known.contains(&policy), is_app);
        Self {
            breakers: before.breakers.clone(),
            jitter: before.jitter,
            documents,
        }
    }

    /// Sets what spreads exponential pauses, 0 to 1; random otherwise.
    #[must_use]
    pub fn with_jitter(self, jitter: fn() -> f64) -> Self {
        Self { jitter, ..self }
    }

    /// The policies of an app for a backend. `None`: there are none.
    #[must_use]
    pub fn component(
        &self,
        namespace: &Namespace,
        app: &AppId,
        (name, kind): (&str, ComponentKind),
        direction: Direction,
    ) -> Option<Arc<Policy>> {
        let visible = self.visible(namespace, app);
        let targets = visible.iter().rev().flat_map(|own| &own.components);
        let own = targets.into_iter().find(|(target, _)| target == name);
        let policies = match (own, direction) {
            (Some((_, own)), Direction::Inbound) => own.inbound.clone(),
            (Some((_, own)), Direction::Outbound) => own.outbound.clone(),
            (None, direction) => defaults(&visible, &levels(kind, direction)),
        };
        let name = name.to_owned();
        let target = Target::Component { name, direction };
        self.policy(labels(namespace, app, target), policies, Count::One)
    }

    /// The policies of an app for calls to others.
    #[must_use]
    pub fn invocation(&self, namespace: &Namespace, app: &AppId) -> AppPolicies {
        let visible = self.visible(namespace, app);
        let mut named = HashMap::new();
        for (target, own) in visible.iter().flat_map(|document| &document.apps) {
            let most = own.circuit_breakers_max.unwrap_or(ENDPOINTS_DEFAULT);
            let labels = labels(namespace, app, Target::App(target.clone()));
            let policy = self.policy(labels, own.policies.clone(), Count::PerEndpoint(most));
            // Of two documents that name an app the later one counts.
            named.insert(target.clone(), policy);
        }
        let default = defaults(&visible, &["App"]);
        let labels = labels(namespace, app, Target::OtherApps);
        let is_built_in = default == TargetPolicies::default();
        let others = if is_built_in {
            Some(Arc::new(self.built_in(labels, &visible)))
        } else {
            self.policy(labels, default, Count::PerEndpoint(ENDPOINTS_OF_OTHERS))
        };
        AppPolicies {
            own: app.clone(),
            named,
            others,
            is_built_in,
        }
    }

    /// Every circuit breaker, by namespace and target.
    #[must_use]
    pub fn breakers(&self) -> Vec<BreakerStatus> {
        self.breakers.list()
    }

    /// Documents that apply to an app.
    fn visible(&self, namespace: &Namespace, app: &AppId) -> Vec<&Resiliency> {
        let own = self.documents.iter();
        own.filter(|document| document.namespace == *namespace && document.applies_to(app))
            .collect()
    }

    fn policy(
        &self,
        labels: Labels,
        policies: TargetPolicies,
        breakers: Count,
    ) -> Option<Arc<Policy>> {
        let TargetPolicies {
            timeout,
            retry,
            circuit_breaker,
        } = policies;
        let timeout = timeout.filter(|timeout| !timeout.is_zero());
        let retry = retry.filter(|retry| retry.max_retries != Some(0));
        if timeout.is_none() && retry.is_none() && circuit_breaker.is_none() {
            return None;
        }
        let retries = retry.map(|policy| Retries {
            policy,
            after: RetriedAfter::Failure,
        });
        let breakers = circuit_breaker
            .map(|policy: CircuitBreakerPolicy| self.breakers.breakers(&labels, &policy, breakers));
        Some(Arc::new(self.made_of(labels, timeout, retries, breakers)))
    }

    /// Dapr's retries of an invocation that was not delivered, as the documents may define them anew.
    fn built_in(&self, labels: Labels, visible: &[&Resiliency]) -> Policy {
        let own = last(visible, |policies| &policies.retries, SERVICE_RETRIES);
        let own = own.or_else(|| RetryPolicy::built_in(SERVICE_RETRIES));
        let retries = own.map(|policy| Retries {
            policy,
            after: RetriedAfter::Undelivered,
        });
        self.made_of(labels, None, retries, None)
    }

    fn made_of(
        &self,
        labels: Labels,
        timeout: Option<Duration>,
        retries: Option<Retries>,
        breakers: Option<Arc<Breakers>>,
    ) -> Policy {
        Policy {
            timeout,
            retries,
            breakers,
            meters: Meters::new(labels),
            jitter: self.jitter,
            told_unrepeatable: AtomicBool::new(false),
        }
    }
}

fn labels(namespace: &Namespace, app: &AppId, target: Target) -> Labels {
    Labels {
        namespace: namespace.clone(),
        app: app.clone(),
        target,
    }
}

/// What stands between `Default` and the kind of policy in the names of default policies, the most specific first.
fn levels(kind: ComponentKind, direction: Direction) -> [String; 3] {
    let direction = match direction {
        Direction::Inbound => "Inbound",
        Direction::Outbound => "Outbound",
    };
    [
        format!("{}Component{direction}", kind.name()),
        format!("Component{direction}"),
        "Component".to_owned(),
    ]
}

/// The default policies: of each kind the one with the most specific name, as in Dapr.
fn defaults(visible: &[&Resiliency], levels: &[impl AsRef<str>]) -> TargetPolicies {
    TargetPolicies {
        timeout: default(visible, |own| &own.timeouts, levels, "Timeout"),
        retry: default(visible, |own| &own.retries, levels, "Retry"),
        circuit_breaker: default(
            visible,
            |own| &own.circuit_breakers,
            levels,
            "CircuitBreaker",
        ),
    }
}

fn default<P: Clone>(
    visible: &[&Resiliency],
    of: impl Fn(&Policies) -> &[(String, P)],
    levels: &[impl AsRef<str>],
    kind: &str,
) -> Option<P> {
    let levels = levels.iter().map(AsRef::as_ref).chain([""]);
    let mut names = levels.map(|level| format!("Default{level}{kind}Policy"));
    names.find_map(|name| last(visible, &of, &name))
}

/// The policy of a name. Of two documents that define it the later one counts, as in Dapr.
fn last<P: Clone>(
    visible: &[&Resiliency],
    of: impl Fn(&Policies) -> &[(String, P)],
    name: &str,
) -> Option<P> {
    let defined = visible.iter().rev().flat_map(|own| of(&own.policies));
    let mut found = defined.filter(|(known, _)| known == name);
    found.next().map(|(_, policy)| policy.clone())
}
