//! `berth:state/store`.

use crate::{bindings::berth::state::store as wit, instance::GuestState};
use berth_blocks::{DeleteItem, SetItem, State, StateOperation, state as block};
use bytes::Bytes;
use std::time::Duration;
use wasmtime::component::Resource;

/// A store as the guest holds it: a name, resolved at each call.
pub struct Handle(pub(crate) String);

type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

impl GuestState {
    fn state_store(&self, handle: &Resource<Handle>) -> wasmtime::Result<State> {
        let Handle(name) = self.table.get(handle)?;
        Ok(self.blocks.state(&self.caller, name))
    }
}

impl wit::Host for GuestState {
    async fn open(&mut self, name: String) -> Answer<Resource<Handle>> {
        match self.blocks.state(&self.caller, &name).check() {
            Ok(()) => Ok(Ok(self.table.push(Handle(name))?)),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl wit::HostStore for GuestState {
    async fn get(
        &mut self,
        store: Resource<Handle>,
        key: String,
        options: wit::GetOptions,
    ) -> Answer<Option<wit::Entry>> {
        let found = self.state_store(&store)?.get(&key, options.into()).await;
        Ok(found.map(|entry| entry.map(Into::into)).map_err(Into::into))
    }

    async fn set(
        &mut self,
        store: Resource<Handle>,
        key: String,
        value: Vec<u8>,
        options: wit::SetOptions,
    ) -> Answer<()> {
        let item = wit::SetRequest {
            key,
            value,
            options,
        }
        .into();
        Ok(self
            .state_store(&store)?
            .set(item)
            .await
            .map_err(Into::into))
    }

    async fn delete(
        &mut self,
        store: Resource<Handle>,
        key: String,
        options: wit::DeleteOptions,
    ) -> Answer<()> {
        let item = wit::DeleteRequest { key, options }.into();
        Ok(self
            .state_store(&store)?
            .delete(item)
            .await
            .map_err(Into::into))
    }

    async fn bulk_get(
        &mut self,
        store: Resource<Handle>,
        keys: Vec<String>,
        options: wit::GetOptions,
    ) -> Answer<Vec<wit::BulkEntry>> {
        let found = self
            .state_store(&store)?
            .bulk_get(keys, options.into())
            .await;
        Ok(found
            .map(|entries| entries.into_iter().map(bulk_entry).collect())
            .map_err(Into::into))
    }

    async fn bulk_set(
        &mut self,
        store: Resource<Handle>,
        requests: Vec<wit::SetRequest>,
    ) -> Answer<Vec<wit::BulkFailure>> {
        let items = requests.into_iter().map(Into::into).collect();
        Ok(self
            .state_store(&store)?
            .bulk_set(items)
            .await
            .map(failures)
            .map_err(Into::into))
    }

    async fn bulk_delete(
        &mut self,
        store: Resource<Handle>,
        requests: Vec<wit::DeleteRequest>,
    ) -> Answer<Vec<wit::BulkFailure>> {
        let items = requests.into_iter().map(Into::into).collect();
        Ok(self
            .state_store(&store)?
            .bulk_delete(items)
            .await
            .map(failures)
            .map_err(Into::into))
    }

    async fn transact(
        &mut self,
        store: Resource<Handle>,
        operations: Vec<wit::Operation>,
        metadata: Vec<(String, String)>,
    ) -> Answer<()> {
        let operations = operations.into_iter().map(Into::into).collect();
        Ok(self
            .state_store(&store)?
            .transact(operations, metadata)
            .await
            .map_err(Into::into))
    }

    async fn list_keys(
        &mut self,
        store: Resource<Handle>,
        prefix: String,
        page: wit::Page,
    ) -> Answer<wit::KeyPage> {
        let found = self
            .state_store(&store)?
            .list_keys(&prefix, page.limit, page.token.as_deref())
            .await;
        Ok(found
            .map(|page| wit::KeyPage {
                keys: page.keys,
                next: page.next,
            })
            .map_err(Into::into))
    }

    async fn drop(&mut self, store: Resource<Handle>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl From<wit::GetOptions> for block::GetOptions {
    fn from(options: wit::GetOptions) -> Self {
        Self {
            consistency: options.consistency.map(Into::into),
            metadata: options.metadata,
        }
    }
}

impl From<wit::SetRequest> for SetItem {
    fn from(
        wit::SetRequest {
            key,
            value,
            options,
        }: wit::SetRequest,
    ) -> Self {
        Self {
            key,
            value: Bytes::from(value),
            etag: options.etag,
            concurrency: options.concurrency.map(Into::into),
            consistency: options.consistency.map(Into::into),
            ttl: options
                .ttl_seconds
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.into())),
            content_type: options.content_type,
            metadata: options.metadata,
        }
    }
}

impl From<wit::DeleteRequest> for DeleteItem {
    fn from(wit::DeleteRequest { key, options }: wit::DeleteRequest) -> Self {
        Self {
            key,
            etag: options.etag,
            concurrency: options.concurrency.map(Into::into),
            consistency: options.consistency.map(Into::into),
            metadata: options.metadata,
        }
    }
}

impl From<wit::Operation> for StateOperation {
    fn from(operation: wit::Operation) -> Self {
        match operation {
            wit::Operation::Set(request) => Self::Set(request.into()),
            wit::Operation::Delete(request) => Self::Delete(request.into()),
        }
    }
}

impl From<wit::Concurrency> for block::Concurrency {
    fn from(concurrency: wit::Concurrency) -> Self {
        match concurrency {
            wit::Concurrency::FirstWrite => Self::FirstWrite,
            wit::Concurrency::LastWrite => Self::LastWrite,
        }
    }
}

impl From<wit::Consistency> for block::Consistency {
    fn from(consistency: wit::Consistency) -> Self {
        match consistency {
            wit::Consistency::Eventual => Self::Eventual,
            wit::Consistency::Strong => Self::Strong,
        }
    }
}

impl From<block::Entry> for wit::Entry {
    fn from(entry: block::Entry) -> Self {
        let metadata = entry.metadata();
        Self {
            value: entry.value.into(),
            etag: entry.etag,
            content_type: entry.content_type,
            metadata,
        }
    }
}

impl From<block::StateError> for wit::Error {
    fn from(error: block::StateError) -> Self {
        use block::StateError as E;
        match error {
            E::NotConfigured(text) | E::NotFound(text) => Self::NotFound(text),
            E::Conflict(text) => Self::Conflict(text),
            E::Denied(text) => Self::Denied(text),
            E::Invalid(text) | E::InvalidEtag(text) | E::Unsupported(text) => Self::Invalid(text),
            E::Unavailable(text) => Self::Unavailable(text),
            E::Timeout(text) => Self::Timeout(text),
            E::TooLarge(text) => Self::TooLarge(text),
            error @ E::IllegalKey(_) => Self::Invalid(error.to_string()),
            error @ E::TooManyOperations { .. } => Self::TooLarge(error.to_string()),
            E::Other(text) => Self::Other(text),
        }
    }
}

fn bulk_entry(
    (key, found): (String, Result<Option<block::Entry>, block::StateError>),
) -> wit::BulkEntry {
    match found {
        Ok(entry) => wit::BulkEntry {
            key,
            entry: entry.map(Into::into),
            error: None,
        },
        Err(error) => wit::BulkEntry {
            key,
            entry: None,
            error: Some(error.into()),
        },
    }
}

fn failures(failed: Vec<(String, block::StateError)>) -> Vec<wit::BulkFailure> {
    failed
        .into_iter()
        .map(|(key, error)| wit::BulkFailure {
            key,
            error: error.into(),
        })
        .collect()
}
