//! Who may call: the one check that a call passes, whether it comes from this host or from another one.

use crate::identity::{SpiffeId, TrustDomain};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use berth_blocks::{
    Caller,
    invocation::{Body, Invoke, InvokeError, LocalApps, Target},
};
use berth_resources::{AccessControl, AccessRequest, PeerIdentity, Resources};
use http::{Method, Request, Response};
use std::{collections::HashMap, sync::Arc};

/// What the configurations of this host's apps say about callers; an app without an entry is open to its namespace.
pub type AccessRules = HashMap<Target, Arc<AccessControl>>;

/// The rules of documents.
#[must_use]
pub fn access_rules(resources: &Resources) -> AccessRules {
    let rules = resources.apps.iter().filter_map(|app| {
        let configuration = resources.configuration_of(app)?;
        let control = configuration.access_control.clone()?;
        Some((Target::from(app), Arc::new(control)))
    });
    rules.collect()
}

/// Stands before the apps of this host.
pub struct Gate {
    apps: Arc<dyn LocalApps>,
    trust_domain: TrustDomain,
    rules: ArcSwap<AccessRules>,
}

impl Gate {
    /// A gate without rules.
    #[must_use]
    pub fn new(apps: Arc<dyn LocalApps>, trust_domain: TrustDomain) -> Self {
        Self {
            apps,
            trust_domain,
            rules: ArcSwap::default(),
        }
    }

    /// Replaces the rules; they count from the next call.
    pub fn set_rules(&self, rules: AccessRules) {
        self.rules.store(Arc::new(rules));
    }

    /// Whether the app is in service here.
    #[must_use]
    pub fn serves(&self, target: &Target) -> bool {
        self.apps.serves(target)
    }

    /// Whether a caller may make a request. A caller that nobody vouches for is `None`.
    ///
    /// # Errors
    /// `Denied`, with the names of both.
    pub fn check(
        &self,
        caller: Option<&SpiffeId>,
        target: &Target,
        method: &Method,
        path: &str,
    ) -> Result<(), InvokeError> {
        // As in Dapr, nothing stands between an app and itself.
        if caller.is_some_and(|caller| {
            caller.workload == *target && caller.trust_domain == self.trust_domain
        }) {
            return Ok(());
        }
        let rules = self.rules.load();
        let Some(rules) = rules.get(target) else {
            return Ok(());
        };
        let request = AccessRequest {
            caller: caller.map(|caller| PeerIdentity {
                trust_domain: caller.trust_domain.as_str(),
                namespace: &caller.workload.namespace,
                app: &caller.workload.app,
            }),
            path,
            verb: method.as_str(),
        };
        if rules.allows(&request) {
            return Ok(());
        }
        metrics::counter!("berth_invocations_denied_total", "app" => target.app.to_string(), "namespace" => target.namespace.to_string())
            .increment(1);
        let caller = caller.map_or_else(
            || "a caller without a certificate".to_owned(),
            |caller| format!("app \"{}\"", caller.workload.app),
        );
        // The path may hold what is nobody else's business.
        Err(InvokeError::Denied(format!(
            "{caller} may not call {method} on this path of app \"{}\": its access control does not allow it",
            target.app
        )))
    }

    /// A call that has passed the check.
    pub(crate) async fn admit(
        &self,
        caller: &Caller,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Body>, InvokeError> {
        self.apps.invoke(caller, target, request).await
    }
}

/// Calls within this host.
#[async_trait]
impl Invoke for Gate {
    async fn invoke(
        &self,
        caller: &Caller,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Body>, InvokeError> {
        let own = self.trust_domain.id_of(&Target {
            namespace: caller.namespace.clone(),
            app: caller.app.clone(),
        });
        self.check(Some(&own), target, request.method(), request.uri().path())?;
        self.admit(caller, target, request).await
    }
}
