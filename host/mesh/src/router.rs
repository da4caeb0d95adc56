//! Where an invocation goes: to an app of this host, to a service outside, to another host.

use crate::{HttpEndpoints, access::Gate, client::Mesh};
use arc_swap::{ArcSwap, ArcSwapOption};
use async_trait::async_trait;
use berth_blocks::{
    Caller,
    invocation::{Body, Invoke, InvokeError, Target},
};
use berth_resources::{AppId, Namespace};
use http::{Request, Response};
use std::sync::Arc;

/// Carries every invocation of a host. An app that this host has is called here, whoever else has it.
pub struct Router {
    gate: Arc<Gate>,
    endpoints: ArcSwap<HttpEndpoints>,
    mesh: ArcSwapOption<Mesh>,
}

impl Router {
    /// A router to the apps of this host only.
    #[must_use]
    pub fn new(gate: Arc<Gate>) -> Self {
        Self {
            gate,
            endpoints: ArcSwap::default(),
            mesh: ArcSwapOption::empty(),
        }
    }

    /// Sets the way to other hosts; `None`: there is none.
    pub fn set_mesh(&self, mesh: Option<Arc<Mesh>>) {
        self.mesh.store(mesh);
    }

    /// Replaces the services outside; calls under way go on.
    pub fn set_endpoints(&self, endpoints: HttpEndpoints) {
        self.endpoints.store(Arc::new(endpoints));
    }
}

#[async_trait]
impl Invoke for Router {
    async fn invoke(
        &self,
        caller: &Caller,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Body>, InvokeError> {
        if self.gate.serves(target) {
            return self.gate.invoke(caller, target, request).await;
        }
        if let Some(endpoint) = self.endpoints.load_full().find(target) {
            return endpoint.call(caller, request).await;
        }
        let Some(mesh) = self.mesh.load_full() else {
            let Target { namespace, app } = target;
            return Err(InvokeError::NotFound(format!(
                "no app `{app}` in namespace `{namespace}`"
            )));
        };
        Ok(mesh.call(caller, target, request).await?)
    }

    fn services_outside(&self, namespace: &Namespace, app: &AppId) -> Vec<String> {
        self.endpoints.load().open_to(namespace, app)
    }
}
