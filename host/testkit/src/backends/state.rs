//! A state store in front of which something may go wrong.

use crate::probe::{Asked, SharedProbe};
use async_trait::async_trait;
use berth_blocks::state::{
    DeleteRequest, Entry, GetOptions, KeyPage, Operation, SetRequest, StateCapabilities,
    StateError, StateStore,
};
use std::sync::Arc;

pub(super) struct WatchedState {
    pub(super) name: String,
    pub(super) inner: Arc<dyn StateStore>,
    pub(super) probe: SharedProbe,
}

impl WatchedState {
    async fn call<T>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl Future<Output = Result<T, StateError>>,
    ) -> Result<T, StateError> {
        let asked = Asked {
            operation,
            of: &self.name,
            // As the guest knows it.
            key: key.split_once("||").map_or(key, |(_, key)| key),
            caller: None,
        };
        self.probe.call(asked, work).await
    }

    /// Many keys in one call, which fails for all of them.
    async fn many<T>(
        &self,
        operation: &'static str,
        keys: Vec<String>,
        work: impl Future<Output = Vec<Result<T, StateError>>>,
    ) -> Vec<Result<T, StateError>> {
        let names = keys.join(",");
        let done = self.call(operation, &names, async { Ok(work.await) }).await;
        done.unwrap_or_else(|error| keys.iter().map(|_| Err(error.clone())).collect())
    }
}

#[async_trait]
impl StateStore for WatchedState {
    fn capabilities(&self) -> StateCapabilities {
        self.inner.capabilities()
    }

    async fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>, StateError> {
        let work = self.inner.get(key, options);
        self.call("state.get", key, work).await
    }

    async fn set(&self, request: SetRequest) -> Result<(), StateError> {
        let key = request.key.clone();
        self.call("state.set", &key, self.inner.set(request)).await
    }

    async fn delete(&self, request: DeleteRequest) -> Result<(), StateError> {
        let key = request.key.clone();
        self.call("state.delete", &key, self.inner.delete(request))
            .await
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<(), StateError> {
        let keys: Vec<_> = operations
            .iter()
            .map(|operation| match operation {
                Operation::Set(request) => request.key.as_str(),
                Operation::Delete(request) => request.key.as_str(),
            })
            .collect();
        let keys = keys.join(",");
        self.call("state.transact", &keys, self.inner.transact(operations))
            .await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        limit: u32,
        token: Option<&str>,
    ) -> Result<KeyPage, StateError> {
        let work = self.inner.list_keys(prefix, limit, token);
        self.call("state.list_keys", prefix, work).await
    }

    async fn bulk_get(
        &self,
        keys: &[String],
        options: &GetOptions,
    ) -> Vec<Result<Option<Entry>, StateError>> {
        let work = self.inner.bulk_get(keys, options);
        self.many("state.bulk_get", keys.to_vec(), work).await
    }

    async fn bulk_set(&self, requests: Vec<SetRequest>) -> Vec<Result<(), StateError>> {
        let keys = requests.iter().map(|request| request.key.clone()).collect();
        self.many("state.bulk_set", keys, self.inner.bulk_set(requests))
            .await
    }

    async fn bulk_delete(&self, requests: Vec<DeleteRequest>) -> Vec<Result<(), StateError>> {
        let keys = requests.iter().map(|request| request.key.clone()).collect();
        self.many("state.bulk_delete", keys, self.inner.bulk_delete(requests))
            .await
    }

    async fn ping(&self) -> Result<(), StateError> {
        self.inner.ping().await
    }
}
