//! Invocation as doors call it.

use crate::{
    Blocks, Caller,
    invocation::{Body, InvokeError, Target},
    pipeline::{ByAnswer, Call, Operation, Subject},
    replay::Replay,
};
use berth_resiliency::Endpoint;
use berth_telemetry::trace::Origin;
use std::sync::Arc;

/// Calls to other apps for one caller.
#[derive(Clone)]
pub struct Invoker {
    blocks: Blocks,
    caller: Arc<Caller>,
}

impl Invoker {
    pub(crate) fn new(blocks: Blocks, caller: Arc<Caller>) -> Self {
        Self { blocks, caller }
    }

    /// Sends a request to an app, `name` or `name.namespace`. The answer's body may still stream after the deadline
    /// of this call, which ends with the head.
    ///
    /// A body that streams is kept for another attempt while it is small; a request whose body was not kept whole is
    /// sent once, whatever the policy says.
    ///
    /// # Errors
    /// Why the request was not delivered; an answer of the app is never an error.
    pub async fn invoke(
        &self,
        app_id: &str,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, InvokeError> {
        let caller = &self.caller;
        let invocations = self.blocks.invocations(&caller.namespace, &caller.app);
        let target = self.target(app_id);
        let known = target.as_ref().ok();
        let policy = known.and_then(|target| invocations.policies.of(&target.app));
        // As in Dapr each method of an app has a circuit breaker of its own.
        let endpoint = match (policy, known) {
            (Some(policy), Some(target)) => policy.endpoint((&target.app, request.uri().path())),
            _ => Endpoint::WHOLE,
        };
        let own = Origin::of_headers(request.headers()).context;
        let trace = own.map_or_else(|| caller.trace.clone(), |own| caller.trace.at(own));
        let span = Operation::Invoke.span(&trace, &invocations.calls);
        if span.is_recorded() {
            span.set("server.address", app_id.to_owned());
            span.set("http.request.method", request.method().to_string());
        }
        let within = Caller {
            trace: trace.inside(&span),
            ..Caller::clone(caller)
        };
        let call = Call {
            calls: &invocations.calls,
            subject: known.map_or(Subject::NoApp, Subject::App),
            operation: Operation::Invoke,
            span,
            deadline: caller.deadline,
            policy: policy.map(AsRef::as_ref),
            endpoint,
        };
        let send = |request: Replay| async {
            let target = target.as_ref().map_err(Clone::clone)?;
            let invoke = self.blocks.invoke().ok_or_else(|| {
                InvokeError::Undelivered("invocation is not connected yet".to_owned())
            })?;
            invoke.invoke(&within, target, request.into_request()).await
        };
        call.run(Replay::from(request), send, &ByAnswer).await
    }

    /// Which app is meant, if the caller may call it.
    ///
    /// # Errors
    /// `Invalid` for no app ID, `Denied` for an app of another namespace.
    pub fn target(&self, app_id: &str) -> Result<Target, InvokeError> {
        let own = &self.caller.namespace;
        let (app, namespace) = app_id.split_once('.').unwrap_or((app_id, own.as_str()));
        let app = app.parse().map_err(invalid)?;
        let namespace = namespace.parse().map_err(invalid)?;
        if &namespace != own {
            return Err(InvokeError::Denied(format!(
                "app \"{}\" of namespace \"{own}\" may not call apps of namespace \"{namespace}\"",
                self.caller.app
            )));
        }
        Ok(Target { namespace, app })
    }
}

fn invalid(error: berth_resources::InvalidName) -> InvokeError {
    InvokeError::Invalid(error.to_string())
}
