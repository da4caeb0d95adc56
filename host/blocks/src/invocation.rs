//! Invocation: calls between apps. Within one host it is a function call into the target's HTTP export.

use crate::Caller;
use async_trait::async_trait;
use berth_resources::{App, AppId, Namespace};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

/// Why a call was not delivered. An answer of the target is never an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// No such app.
    #[error("{0}")]
    NotFound(String),
    /// Forbidden by access control.
    #[error("{0}")]
    Denied(String),
    /// The request is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The app never saw it: overloaded, not started, not reached. Another attempt is safe, and may succeed.
    #[error("{0}")]
    Undelivered(String),
    /// It failed before it answered, perhaps after it had an effect.
    #[error("{0}")]
    Unavailable(String),
    /// No answer in time.
    #[error("{0}")]
    Timeout(String),
    /// Over a limit.
    #[error("{0}")]
    TooLarge(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// A body that streams.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The tenant.
    pub namespace: Namespace,
    /// The app.
    pub app: AppId,
}

impl From<&App> for Target {
    fn from(app: &App) -> Self {
        Self {
            namespace: app.namespace.clone(),
            app: app.id.clone(),
        }
    }
}

/// Carries a call to an app.
#[async_trait]
pub trait Invoke: Send + Sync + 'static {
    /// Sends the request; the answer's body may still stream.
    async fn invoke(
        &self,
        caller: &Caller,
        target: &Target,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, InvokeError>;

    /// Names of the services outside that an app may call, sorted.
    fn services_outside(&self, _namespace: &Namespace, _app: &AppId) -> Vec<String> {
        Vec::new()
    }
}

/// The apps of this host.
pub trait LocalApps: Invoke {
    /// Whether the app is in service here.
    fn serves(&self, target: &Target) -> bool;
}
