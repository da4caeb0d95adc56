//! `wasi:keyvalue`, both drafts, on the state block. A bucket is a state store; `default` is the only store of the app,
//! or the one named `statestore`, if none has that name.
//!
//! The standard has neither etags nor expiry: `swap` compares the etag that `cas.new` saw, `increment` retries a
//! conditional write.

use crate::{
    bindings::{draft2::keyvalue as draft2, standards::keyvalue as draft},
    instance::GuestState,
};
use berth_blocks::{
    Block, DeleteItem, SetItem, State,
    state::{Concurrency, GetOptions, StateError},
};
use bytes::Bytes;
use wasmtime::component::Resource;

/// Keys of one page of `list-keys`.
const PAGE: u32 = 1_000;
/// Conflicts that `increment` outlasts. Each one means that another writer succeeded.
const ATTEMPTS: usize = 100;

/// A bucket as the guest holds it: the name of a state store.
pub struct Bucket(String);

/// What a compare-and-swap compares with.
pub struct Cas {
    store: String,
    key: String,
    value: Option<Vec<u8>>,
    etag: Option<String>,
}

/// The cases that both drafts share.
enum KeyValueError {
    NoSuchStore,
    AccessDenied,
    Other(String),
}

impl From<StateError> for KeyValueError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::NotConfigured(_) | StateError::NotFound(_) => Self::NoSuchStore,
            StateError::Denied(_) => Self::AccessDenied,
            other => Self::Other(other.to_string()),
        }
    }
}

macro_rules! error_of {
    ($($module:ident),*) => {$(
        impl From<KeyValueError> for $module::store::Error {
            fn from(error: KeyValueError) -> Self {
                match error {
                    KeyValueError::NoSuchStore => Self::NoSuchStore,
                    KeyValueError::AccessDenied => Self::AccessDenied,
                    KeyValueError::Other(text) => Self::Other(text),
                }
            }
        }

        impl From<StateError> for $module::store::Error {
            fn from(error: StateError) -> Self {
                KeyValueError::from(error).into()
            }
        }
    )*};
}
error_of!(draft, draft2);

impl GuestState {
    fn bucket(&self, bucket: &Resource<Bucket>) -> wasmtime::Result<State> {
        let Bucket(name) = self.table.get(bucket)?;
        Ok(self.blocks.state(&self.caller, name))
    }

    /// The store behind a bucket name.
    fn open_bucket(
        &mut self,
        name: String,
    ) -> wasmtime::Result<Result<Resource<Bucket>, StateError>> {
        let named = self.blocks.state(&self.caller, &name).check();
        let store = match named {
            Ok(()) => name,
            Err(error) if name != "default" => return Ok(Err(error)),
            Err(error) => match self.default_store() {
                Some(store) => store,
                None => return Ok(Err(error)),
            },
        };
        Ok(Ok(self.table.push(Bucket(store))?))
    }

    fn default_store(&self) -> Option<String> {
        let visible = self
            .blocks
            .visible(&self.caller.namespace, &self.caller.app);
        let mut stores = visible
            .into_iter()
            .filter(|backend| backend.block == Block::State)
            .map(|backend| backend.name.to_string());
        let first = stores.next()?;
        match stores.next() {
            None => Some(first),
            Some(second) => std::iter::once(first)
                .chain([second])
                .chain(stores)
                .find(|name| name == "statestore"),
        }
    }
}

async fn exists(state: &State, key: &str) -> Result<bool, StateError> {
    Ok(state.get(key, GetOptions::default()).await?.is_some())
}

async fn value(state: &State, key: &str) -> Result<Option<Vec<u8>>, StateError> {
    Ok(state
        .get(key, GetOptions::default())
        .await?
        .map(|entry| entry.value.into()))
}

async fn values(
    state: &State,
    keys: Vec<String>,
) -> Result<Vec<(String, Option<Vec<u8>>)>, StateError> {
    let found = state.bulk_get(keys, GetOptions::default()).await?;
    found
        .into_iter()
        .map(|(key, entry)| Ok((key, entry?.map(|entry| entry.value.into()))))
        .collect()
}

fn write(key: String, value: Vec<u8>) -> SetItem {
    SetItem {
        key,
        value: Bytes::from(value),
        etag: None,
        concurrency: None,
        consistency: None,
        ttl: None,
        content_type: None,
        metadata: Vec::new(),
    }
}

fn removal(key: String) -> DeleteItem {
    DeleteItem {
        key,
        etag: None,
        concurrency: None,
        consistency: None,
        metadata: Vec::new(),
    }
}

/// A write that succeeds only if the key is still as it was read.
fn write_if(key: String, value: Vec<u8>, etag: Option<String>) -> SetItem {
    SetItem {
        etag,
        concurrency: Some(Concurrency::FirstWrite),
        ..write(key, value)
    }
}

async fn set_many(state: &State, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StateError> {
    let items = pairs
        .into_iter()
        .map(|(key, value)| write(key, value))
        .collect();
    match state.bulk_set(items).await?.into_iter().next() {
        Some((key, error)) => Err(StateError::Other(format!("key `{key}`: {error}"))),
        None => Ok(()),
    }
}

async fn delete_many(state: &State, keys: Vec<String>) -> Result<(), StateError> {
    match state
        .bulk_delete(keys.into_iter().map(removal).collect())
        .await?
        .into_iter()
        .next()
    {
        Some((key, error)) => Err(StateError::Other(format!("key `{key}`: {error}"))),
        None => Ok(()),
    }
}

/// Adds to a number that is stored as decimal text, as Redis' INCR does; an absent key counts as 0.
async fn increment<N>(
    state: &State,
    key: String,
    add: impl Fn(Option<&str>) -> Option<N>,
) -> Result<N, StateError>
where
    N: ToString,
{
    for _ in 0..ATTEMPTS {
        let entry = state.get(&key, GetOptions::default()).await?;
        let text = entry
            .as_ref()
            .map(|entry| String::from_utf8_lossy(&entry.value).into_owned());
        let sum = add(text.as_deref()).ok_or_else(|| {
            StateError::Invalid(format!(
                "key `{key}` holds no number that this can be added to"
            ))
        })?;
        let item = write_if(
            key.clone(),
            sum.to_string().into_bytes(),
            entry.map(|entry| entry.etag),
        );
        match state.set(item).await {
            Ok(()) => return Ok(sum),
            Err(StateError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StateError::Unavailable(format!(
        "key `{key}`: other writers won {ATTEMPTS} times in a row"
    )))
}

/// The parts of both drafts that differ only in the module of their types and in how an answer is shaped.
macro_rules! serve {
    ($module:ident, cursor: $cursor:ty, into_token: $token:expr, from_page: $page:expr, found: $found_type:ty, $found:expr) => {
        impl $module::store::Host for GuestState {
            async fn open(
                &mut self,
                name: String,
            ) -> wasmtime::Result<Result<Resource<Bucket>, $module::store::Error>> {
                Ok(self.open_bucket(name)?.map_err(Into::into))
            }
        }

        impl $module::store::HostBucket for GuestState {
            async fn get(
                &mut self,
                bucket: Resource<Bucket>,
                key: String,
            ) -> wasmtime::Result<Result<Option<Vec<u8>>, $module::store::Error>> {
                Ok(value(&self.bucket(&bucket)?, &key)
                    .await
                    .map_err(Into::into))
            }

            async fn set(
                &mut self,
                bucket: Resource<Bucket>,
                key: String,
                value: Vec<u8>,
            ) -> wasmtime::Result<Result<(), $module::store::Error>> {
                Ok(self
                    .bucket(&bucket)?
                    .set(write(key, value))
                    .await
                    .map_err(Into::into))
            }

            async fn delete(
                &mut self,
                bucket: Resource<Bucket>,
                key: String,
            ) -> wasmtime::Result<Result<(), $module::store::Error>> {
                Ok(self
                    .bucket(&bucket)?
                    .delete(removal(key))
                    .await
                    .map_err(Into::into))
            }

            async fn exists(
                &mut self,
                bucket: Resource<Bucket>,
                key: String,
            ) -> wasmtime::Result<Result<bool, $module::store::Error>> {
                Ok(exists(&self.bucket(&bucket)?, &key)
                    .await
                    .map_err(Into::into))
            }

            async fn list_keys(
                &mut self,
                bucket: Resource<Bucket>,
                cursor: Option<$cursor>,
            ) -> wasmtime::Result<Result<$module::store::KeyResponse, $module::store::Error>> {
                let state = self.bucket(&bucket)?;
                let page = keys(&state, $token(cursor)).await;
                Ok(page.map(|page| $page(page)).map_err(Into::into))
            }

            async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
                self.table.delete(bucket)?;
                Ok(())
            }
        }

        impl $module::batch::Host for GuestState {
            async fn get_many(
                &mut self,
                bucket: Resource<Bucket>,
                keys: Vec<String>,
            ) -> wasmtime::Result<Result<Vec<$found_type>, $module::store::Error>> {
                let found = values(&self.bucket(&bucket)?, keys).await;
                Ok(found
                    .map(|found| found.into_iter().map($found).collect())
                    .map_err(Into::into))
            }

            async fn set_many(
                &mut self,
                bucket: Resource<Bucket>,
                pairs: Vec<(String, Vec<u8>)>,
            ) -> wasmtime::Result<Result<(), $module::store::Error>> {
                Ok(set_many(&self.bucket(&bucket)?, pairs)
                    .await
                    .map_err(Into::into))
            }

            async fn delete_many(
                &mut self,
                bucket: Resource<Bucket>,
                keys: Vec<String>,
            ) -> wasmtime::Result<Result<(), $module::store::Error>> {
                Ok(delete_many(&self.bucket(&bucket)?, keys)
                    .await
                    .map_err(Into::into))
            }
        }
    };
}

/// A page of keys: the state block's own token, and how many keys lie before the next page.
struct Keys {
    keys: Vec<String>,
    next: Option<String>,
    seen: u64,
}

/// Where a page begins: the first draft counts keys, the second has a token.
enum Start {
    Beginning,
    After(String),
    Skip(u64),
}

/// The first draft's cursor is a number, which no store has: it is the count of keys seen, and earlier pages are read
/// again to get there.
async fn keys(state: &State, start: Start) -> Result<Keys, StateError> {
    let (mut token, skip) = match start {
        Start::Beginning => (None, 0),
        Start::After(token) => (Some(token), 0),
        Start::Skip(count) => (None, count),
    };
    let mut seen = 0;
    loop {
        let page = state.list_keys("", PAGE, token.as_deref()).await?;
        let before = seen;
        seen += page.keys.len() as u64;
        if before >= skip || page.next.is_none() {
            let past = before < skip;
            let keys = if past { Vec::new() } else { page.keys };
            return Ok(Keys {
                keys,
                next: page.next,
                seen,
            });
        }
        token = page.next;
    }
}

serve!(
    draft,
    cursor: u64,
    into_token: |cursor: Option<u64>| cursor.map_or(Start::Beginning, Start::Skip),
    from_page: |page: Keys| draft::store::KeyResponse { cursor: page.next.map(|_| page.seen), keys: page.keys },
    found: Option<(String, Vec<u8>)>,
    |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value))
);
serve!(
    draft2,
    cursor: String,
    into_token: |cursor: Option<String>| cursor.map_or(Start::Beginning, Start::After),
    from_page: |page: Keys| draft2::store::KeyResponse { cursor: page.next, keys: page.keys },
    found: (String, Option<Vec<u8>>),
    |found| found
);

impl draft::atomics::Host for GuestState {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> wasmtime::Result<Result<u64, draft::store::Error>> {
        let add = |text: Option<&str>| {
            text.map_or(Some(0), |text| text.trim().parse::<u64>().ok())?
                .checked_add(delta)
        };
        Ok(increment(&self.bucket(&bucket)?, key, add)
            .await
            .map_err(Into::into))
    }
}

impl draft2::atomics::Host for GuestState {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, draft2::store::Error>> {
        let add = |text: Option<&str>| {
            text.map_or(Some(0), |text| text.trim().parse::<i64>().ok())?
                .checked_add(delta)
        };
        Ok(increment(&self.bucket(&bucket)?, key, add)
            .await
            .map_err(Into::into))
    }

    async fn swap(
        &mut self,
        cas: Resource<Cas>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), draft2::atomics::CasError>> {
        let seen = self.table.delete(cas)?;
        let state = self.blocks.state(&self.caller, &seen.store);
        match state
            .set(write_if(seen.key.clone(), value, seen.etag))
            .await
        {
            Ok(()) => Ok(Ok(())),
            // The guest gets what is there now, to try again with.
            Err(StateError::Conflict(_)) => match look(&state, seen.store, seen.key).await {
                Ok(now) => Ok(Err(draft2::atomics::CasError::CasFailed(
                    self.table.push(now)?,
                ))),
                Err(error) => Ok(Err(draft2::atomics::CasError::StoreError(error.into()))),
            },
            Err(error) => Ok(Err(draft2::atomics::CasError::StoreError(error.into()))),
        }
    }
}

impl draft2::atomics::HostCas for GuestState {
    async fn new(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Cas>, draft2::store::Error>> {
        let state = self.bucket(&bucket)?;
        let Bucket(store) = self.table.get(&bucket)?;
        match look(&state, store.clone(), key).await {
            Ok(cas) => Ok(Ok(self.table.push(cas)?)),
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn current(
        &mut self,
        cas: Resource<Cas>,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, draft2::store::Error>> {
        Ok(Ok(self.table.get(&cas)?.value.clone()))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

async fn look(state: &State, store: String, key: String) -> Result<Cas, StateError> {
    let entry = state.get(&key, GetOptions::default()).await?;
    let (value, etag) = entry.map(|entry| (entry.value.into(), entry.etag)).unzip();
    Ok(Cas {
        store,
        key,
        value,
        etag,
    })
}
