//! Secrets: read only, one value or several fields each. Conformance suite: `conformance::secrets`.

use async_trait::async_trait;
use berth_resources::Secret;
use std::collections::BTreeMap;

/// Why a secret could not be read: the variant says what the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The app sees no store at all.
    #[error("{0}")]
    NotConfigured(String),
    /// No such store or no such secret.
    #[error("{0}")]
    NotFound(String),
    /// Forbidden by a scope.
    #[error("{0}")]
    Denied(String),
    /// The request is wrong.
    #[error("{0}")]
    Invalid(String),
    /// Another attempt may cure it.
    #[error("{0}")]
    Unavailable(String),
    /// No answer in time.
    #[error("{0}")]
    Timeout(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Fields of one secret. A secret of a single value has one field, under its own name.
pub type SecretFields = BTreeMap<String, Secret>;

/// A secret store: one attempt per call, no policy.
#[async_trait]
pub trait SecretStore: Send + Sync + 'static {
    /// One secret; `NotFound` if there is none.
    async fn get(
        &self,
        name: &str,
        metadata: &[(String, String)],
    ) -> Result<SecretFields, SecretError>;

    /// All secrets.
    async fn bulk(
        &self,
        metadata: &[(String, String)],
    ) -> Result<BTreeMap<String, SecretFields>, SecretError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), SecretError>;
}
