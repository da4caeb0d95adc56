//! What every state store does. Cases take a fresh, empty store.

mod etags;
mod listing;
mod transactions;
mod ttl;
mod values;

pub use etags::*;
pub use listing::*;
pub use transactions::*;
pub use ttl::*;
pub use values::*;

use super::Subject;
use crate::state::{
    DeleteRequest, Entry, GetOptions, Operation, Precondition, SetRequest, StateError, StateStore,
};
use bytes::Bytes;

/// The store under test.
pub type Store = Subject<dyn StateStore>;

/// A write that requires nothing.
#[must_use]
pub fn set(key: &str, value: &str) -> SetRequest {
    SetRequest {
        key: key.to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
        precondition: Precondition::None,
        consistency: None,
        ttl: None,
        content_type: None,
        metadata: Vec::new(),
    }
}

fn set_if(key: &str, value: &str, precondition: Precondition) -> SetRequest {
    SetRequest {
        precondition,
        ..set(key, value)
    }
}

/// A deletion that requires nothing.
#[must_use]
pub fn delete(key: &str) -> DeleteRequest {
    DeleteRequest {
        key: key.to_owned(),
        precondition: Precondition::None,
        consistency: None,
        metadata: Vec::new(),
    }
}

fn delete_if(key: &str, etag: &str) -> DeleteRequest {
    DeleteRequest {
        precondition: Precondition::Etag(etag.to_owned()),
        ..delete(key)
    }
}

impl Store {
    async fn entry(&self, key: &str) -> Option<Entry> {
        self.backend
            .get(key, &GetOptions::default())
            .await
            .expect("a read succeeds")
    }

    async fn value(&self, key: &str) -> Option<Bytes> {
        self.entry(key).await.map(|entry| entry.value)
    }

    async fn etag(&self, key: &str) -> String {
        self.entry(key).await.expect("the key exists").etag
    }

    async fn put(&self, request: SetRequest) {
        self.backend.set(request).await.expect("a write succeeds");
    }

    /// Whether the store has the ability; if not, `attempt` must be refused as unsupported.
    async fn can(
        &self,
        ability: bool,
        attempt: impl Future<Output = Result<(), StateError>>,
    ) -> bool {
        if !ability {
            let answer = attempt.await;
            assert!(
                matches!(answer, Err(StateError::Unsupported(_))),
                "{answer:?}"
            );
        }
        ability
    }

    async fn has_transactions(&self) -> bool {
        let can = self.backend.capabilities().transactions.is_some();
        self.can(
            can,
            self.backend.transact(vec![Operation::Delete(delete("k"))]),
        )
        .await
    }

    async fn has_ttl(&self) -> bool {
        let request = SetRequest {
            ttl: Some(std::time::Duration::from_secs(60)),
            ..set("k", "v")
        };
        self.can(self.backend.capabilities().ttl, self.backend.set(request))
            .await
    }

    async fn has_etags(&self) -> bool {
        let request = set_if("k", "v", Precondition::Absent);
        self.can(self.backend.capabilities().etag, self.backend.set(request))
            .await
    }

    async fn lists_keys(&self) -> bool {
        let attempt = async { self.backend.list_keys("", 1, None).await.map(drop) };
        self.can(self.backend.capabilities().list_keys, attempt)
            .await
    }
}

/// A stale etag: stores whose etags have a form may also say that this is none.
fn assert_stale(answer: Result<(), StateError>) {
    assert!(
        matches!(
            answer,
            Err(StateError::Conflict(_) | StateError::InvalidEtag(_))
        ),
        "{answer:?}"
    );
}

fn assert_conflict(answer: Result<(), StateError>) {
    assert!(matches!(answer, Err(StateError::Conflict(_))), "{answer:?}");
}
