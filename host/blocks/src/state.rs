//! State: key/value with etags, time to live and transactions.
//!
//! A driver sees keys as they are stored (already prefixed) and makes one attempt. Its conformance suite is
//! `conformance::state`.

use async_trait::async_trait;
use bytes::Bytes;
use std::time::{Duration, SystemTime};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Why a state call failed: the variant says what the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The app sees no store at all.
    #[error("{0}")]
    NotConfigured(String),
    /// No such store, or not visible to the app.
    #[error("{0}")]
    NotFound(String),
    /// Stale etag, or a first-write on an existing key.
    #[error("{0}")]
    Conflict(String),
    /// Forbidden by a scope.
    #[error("{0}")]
    Denied(String),
    /// The request is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The etag is not in the form that the store uses (Dapr tells this apart from a mismatch).
    #[error("{0}")]
    InvalidEtag(String),
    /// The key contains `||`, which stands between prefix and key.
    #[error("key \"{0}\" contains `||`")]
    IllegalKey(String),
    /// The store cannot do this, such as transactions.
    #[error("{0}")]
    Unsupported(String),
    /// Another attempt may cure it.
    #[error("{0}")]
    Unavailable(String),
    /// No answer in time; whether it happened is unknown.
    #[error("{0}")]
    Timeout(String),
    /// Over a limit.
    #[error("{0}")]
    TooLarge(String),
    /// More operations in one transaction than the store takes.
    #[error("{count} operations in one transaction, the limit is {max}")]
    TooManyOperations {
        /// Asked for.
        count: usize,
        /// Of the store.
        max: usize,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// How concurrent writers meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// A write without an etag succeeds only if the key is absent.
    FirstWrite,
    /// The etag is not looked at.
    LastWrite,
}

/// How much the store guarantees before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// An older value may be read.
    Eventual,
    /// The newest value is read.
    Strong,
}

/// A stored value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bytes as written.
    pub value: Bytes,
    /// Opaque version; changes with every write; never empty.
    pub etag: String,
    /// Media type given at the write, where the store keeps one.
    pub content_type: Option<String>,
    /// When the key ceases to exist.
    pub expires_at: Option<SystemTime>,
}

impl Entry {
    /// The entry's metadata as doors give it out: `ttlExpireTime` (RFC 3339, as Dapr names it) if the key expires.
    #[must_use]
    pub fn metadata(&self) -> Vec<(String, String)> {
        let expires = self.expires_at.map(OffsetDateTime::from);
        let text = expires.and_then(|at| at.replace_nanosecond(0).ok()?.format(&Rfc3339).ok());
        text.map(|text| ("ttlExpireTime".to_owned(), text))
            .into_iter()
            .collect()
    }
}

/// Options of a read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetOptions {
    /// Absent: the store's default.
    pub consistency: Option<Consistency>,
    /// For the driver.
    pub metadata: Vec<(String, String)>,
}

/// What a write requires of the present value; options of the contract are reduced to this before a driver sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the last write wins.
    #[default]
    None,
    /// The stored etag equals this one; an absent or expired key does not match.
    Etag(String),
    /// The key is absent or expired. For a delete: the same as `None`.
    Absent,
}

impl Precondition {
    /// Dapr's rule: last-write ignores the etag; an etag is honoured if given and not empty; first-write without one
    /// means "only if absent".
    #[must_use]
    pub fn from_options(etag: Option<&str>, concurrency: Option<Concurrency>) -> Self {
        match (concurrency, etag.filter(|etag| !etag.is_empty())) {
            (Some(Concurrency::LastWrite), _) => Self::None,
            (_, Some(etag)) => Self::Etag(etag.to_owned()),
            (Some(Concurrency::FirstWrite), None) => Self::Absent,
            (None, None) => Self::None,
        }
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetRequest {
    /// Key as stored.
    pub key: String,
    /// Bytes to store.
    pub value: Bytes,
    /// What must hold before.
    pub precondition: Precondition,
    /// Absent: the store's default.
    pub consistency: Option<Consistency>,
    /// Time to live; absent: none, and an earlier one is removed.
    pub ttl: Option<Duration>,
    /// Media type to keep.
    pub content_type: Option<String>,
    /// For the driver.
    pub metadata: Vec<(String, String)>,
}

/// One deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRequest {
    /// Key as stored.
    pub key: String,
    /// What must hold before.
    pub precondition: Precondition,
    /// Absent: the store's default.
    pub consistency: Option<Consistency>,
    /// For the driver.
    pub metadata: Vec<(String, String)>,
}

/// One step of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Write.
    Set(SetRequest),
    /// Delete.
    Delete(DeleteRequest),
}

/// A page of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// Keys as stored, in the store's stable order.
    pub keys: Vec<String>,
    /// Token of the page that follows; absent at the end.
    pub next: Option<String>,
}

/// What a store can do. The conformance suite checks that the rest is refused clearly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateCapabilities {
    /// Etags are checked.
    pub etag: bool,
    /// Transactions, with at most this many operations.
    pub transactions: Option<usize>,
    /// Time to live.
    pub ttl: bool,
    /// Keys can be listed.
    pub list_keys: bool,
    /// The media type of a value is kept.
    pub content_type: bool,
}

impl StateCapabilities {
    /// As Dapr names them.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            (self.etag, "ETAG"),
            (self.transactions.is_some(), "TRANSACTIONAL"),
            (self.ttl, "TTL"),
            (self.list_keys, "KEYS_LIKE"),
        ];
        let present = all.into_iter().filter(|(present, _)| *present);
        present.map(|(_, name)| name).collect()
    }
}

/// A state store: one attempt per call, no policy.
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// What this store can do.
    fn capabilities(&self) -> StateCapabilities;

    /// The value of a key; `None` if absent or expired.
    async fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>, StateError>;

    /// Writes one key atomically.
    async fn set(&self, request: SetRequest) -> Result<(), StateError>;

    /// Deletes one key atomically; an absent key without an etag is fine.
    async fn delete(&self, request: DeleteRequest) -> Result<(), StateError>;

    /// Applies all operations in order or none.
    async fn transact(&self, operations: Vec<Operation>) -> Result<(), StateError>;

    /// Keys that begin with `prefix`, at most `limit` (1 to 1,000), after the page that gave `token`.
    async fn list_keys(
        &self,
        prefix: &str,
        limit: u32,
        token: Option<&str>,
    ) -> Result<KeyPage, StateError>;

    /// Reads many keys, one result each in the order asked. Stores with a native form override this.
    async fn bulk_get(
        &self,
        keys: &[String],
        options: &GetOptions,
    ) -> Vec<Result<Option<Entry>, StateError>> {
        futures::future::join_all(keys.iter().map(|key| self.get(key, options))).await
    }

    /// Writes many keys, each on its own, one result each in the order given.
    async fn bulk_set(&self, requests: Vec<SetRequest>) -> Vec<Result<(), StateError>> {
        futures::future::join_all(requests.into_iter().map(|request| self.set(request))).await
    }

    /// Deletes many keys, each on its own, one result each in the order given.
    async fn bulk_delete(&self, requests: Vec<DeleteRequest>) -> Vec<Result<(), StateError>> {
        futures::future::join_all(requests.into_iter().map(|request| self.delete(request))).await
    }

    /// Whether the engine answers: what `berth components` shows as health.
    async fn ping(&self) -> Result<(), StateError>;
}
