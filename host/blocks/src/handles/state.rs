//! State as doors call it.

use crate::{
    Blocks, Caller,
    backend::{Block, Grant},
    keys::{guest_key, stored_key},
    limits::{BATCH_ITEMS_MAX, KEYS_PAGE_DEFAULT, KEYS_PAGE_MAX, STATE_VALUE_BYTES_MAX},
    pipeline::{Operation, call},
    state::{
        Concurrency, Consistency, DeleteRequest, Entry, GetOptions, KeyPage, Operation as Step,
        Precondition, SetRequest, StateCapabilities, StateError, StateStore,
    },
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// Dapr's name for a time to live in the metadata of an item.
const TTL: &str = "ttlInSeconds";

/// One write, as a guest asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetItem {
    /// Key as the guest names it.
    pub key: String,
    /// Bytes to store.
    pub value: Bytes,
    /// Write only if the stored etag equals this one; empty: absent.
    pub etag: Option<String>,
    /// How concurrent writers meet.
    pub concurrency: Option<Concurrency>,
    /// How much the store guarantees.
    pub consistency: Option<Consistency>,
    /// Time to live; absent: that of `ttlInSeconds` in the metadata; zero: none.
    pub ttl: Option<Duration>,
    /// Media type to keep.
    pub content_type: Option<String>,
    /// For the driver; `ttlInSeconds` is understood here.
    pub metadata: Vec<(String, String)>,
}

/// One deletion, as a guest asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteItem {
    /// Key as the guest names it.
    pub key: String,
    /// Delete only if the stored etag equals this one; empty: absent.
    pub etag: Option<String>,
    /// How concurrent writers meet.
    pub concurrency: Option<Concurrency>,
    /// How much the store guarantees.
    pub consistency: Option<Consistency>,
    /// For the driver.
    pub metadata: Vec<(String, String)>,
}

/// One step of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateOperation {
    /// Write.
    Set(SetItem),
    /// Delete.
    Delete(DeleteItem),
}

/// A state store for one caller.
#[derive(Clone)]
pub struct State {
    blocks: Blocks,
    caller: Arc<Caller>,
    store: Box<str>,
}

impl State {
    pub(crate) fn new(blocks: Blocks, caller: Arc<Caller>, store: &str) -> Self {
        Self {
            blocks,
            caller,
            store: store.into(),
        }
    }

    /// Whether the store exists for this caller.
    ///
    /// # Errors
    /// `NotFound` if not, `Unavailable` if it could not be opened.
    pub fn check(&self) -> Result<(), StateError> {
        self.grant().map(drop)
    }

    /// What the store can do.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn capabilities(&self) -> Result<StateCapabilities, StateError> {
        Ok(store(&*self.grant()?)?.capabilities())
    }

    /// The value of a key; `None` if absent or expired.
    ///
    /// # Errors
    /// What the guest can do about it.
    pub async fn get(&self, key: &str, options: GetOptions) -> Result<Option<Entry>, StateError> {
        self.run(Operation::StateGet, |grant: Arc<Grant>| async move {
            let grant = &*grant;
            let store = store(grant)?;
            store
                .get(&stored_key(&grant.key_prefix, key)?, &options)
                .await
        })
        .await
    }

    /// Writes one key.
    ///
    /// # Errors
    /// What the guest can do about it.
    pub async fn set(&self, item: SetItem) -> Result<(), StateError> {
        self.run(Operation::StateSet, |grant: Arc<Grant>| async move {
            let grant = &*grant;
            let store = store(grant)?;
            store
                .set(set_request(grant, store.capabilities(), item)?)
                .await
        })
        .await
    }

    /// Deletes one key.
    ///
    /// # Errors
    /// What the guest can do about it.
    pub async fn delete(&self, item: DeleteItem) -> Result<(), StateError> {
        self.run(Operation::StateDelete, |grant: Arc<Grant>| async move {
            let grant = &*grant;
            let store = store(grant)?;
            store
                .delete(delete_request(grant, store.capabilities(), item)?)
                .await
        })
        .await
    }

    /// Reads many keys, one result each in the order asked.
    ///
    /// # Errors
    /// Those of the call as a whole.
    pub async fn bulk_get(
        &self,
        keys: Vec<String>,
        options: GetOptions,
    ) -> Result<Vec<(String, Result<Option<Entry>, StateError>)>, StateError> {
        self.run(Operation::StateBulkGet, |grant: Arc<Grant>| async move {
            let grant = &*grant;
            let store = store(grant)?;
            check_batch(keys.len(), None)?;
            let requests = keys.iter().map(|key| stored_key(&grant.key_prefix, key));
            let (sent, refused) = separate(requests);
            let (places, sent): (Vec<_>, Vec<_>) = sent.into_iter().unzip();
            let answers = if sent.is_empty() {
                Vec::new()
            } else {
                store.bulk_get(&sent, &options).await
            };
            let answers = in_order(keys.len(), places.into_iter().zip(answers), refused, Err);
            Ok(keys.into_iter().zip(answers).collect())
        })
        .await
    }

    /// Writes many keys, each on its own. Returns those that failed.
    ///
    /// # Errors
    /// Those of the call as a whole.
    pub async fn bulk_set(
        &self,
        items: Vec<SetItem>,
    ) -> Result<Vec<(String, StateError)>, StateError> {
        self.run(Operation::StateBulkSet, |grant: Arc<Grant>| async move {
            let grant = &*grant;
            let store = store(grant)?;
            check_batch(items.len(), None)?;
            let can = store.capabilities();
            let keys: Vec<String> = items.iter().map(|item| item.key.clone()).collect();
            let requests = items.into_iter().map(|item| set_request(grant, can, item));
            let (mut sent, refused) = separate(requests);
            let answers = match sent.len() {
                0 => Vec::new(),
                1 => vec![store.set(sent.remove(0).1).await],
                _ => {
                    store
                        .bulk_set(sent.into_iter().map(|(_, request)| request).collect())
                        .await
                }
            };
            Ok(failures(keys, answers, refused))
        })
        .await
    }

    /// Deletes many keys, each on its own. Returns those that failed.
    ///
    /// # Errors
    /// Those of the call as a whole.
    pub async fn bulk_delete(
        &self,
        items: Vec<DeleteItem>,
    ) -> Result<Vec<(String, StateError)>, StateError> {
        self.run(Operation::StateBulkDelete, |grant: Arc<Grant>| async move {
            let grant = &*grant;
            let store = store(grant)?;
            check_batch(items.len(), None)?;
            let can = store.capabilities();
            let keys: Vec<String> = items.iter().map(|item| item.key.clone()).collect();
            let requests = items
                .into_iter()
                .map(|item| delete_request(grant, can, item));
            let (mut sent, refused) = separate(requests);
            let answers = match sent.len() {
                0 => Vec::new(),
                1 => vec![store.delete(sent.remove(0).1).await],
                _ => {
                    store
                        .bulk_delete(sent.into_iter().map(|(_, request)| request).collect())
                        .await
                }
            };
            Ok(failures(keys, answers, refused))
        })
        .await
    }

    /// Applies all operations in order, or none. `metadata` holds for every operation that does not say otherwise.
    ///
    /// # Errors
    /// `Conflict` for a stale etag anywhere, `Unsupported` if the store has no transactions.
    pub async fn transact(
        &self,
        operations: Vec<StateOperation>,
        metadata: Vec<(String, String)>,
    ) -> Result<(), StateError> {
        self.run(Operation::StateTransact, |grant: Arc<Grant>| async move {
            let grant = &*grant;
            let store = store(grant)?;
            let can = store.capabilities();
            let Some(most) = can.transactions else {
                return Err(unsupported(grant, "transactions"));
            };
            check_batch(operations.len(), Some(most))?;
            let steps = operations
                .into_iter()
                .map(|operation| step(grant, can, operation, &metadata));
            let steps = steps.collect::<Result<Vec<_>, _>>()?;
            if steps.is_empty() {
                Ok(())
            } else {
                store.transact(steps).await
            }
        })
        .await
    }

    /// Keys of this app that begin with `prefix`, as the guest names them. A `limit` of 0 is the default, 100.
    ///
    /// # Errors
    /// `Unsupported` if the store cannot list, `Invalid` for a limit over 1,000.
    pub async fn list_keys(
        &self,
        prefix: &str,
        limit: u32,
        token: Option<&str>,
    ) -> Result<KeyPage, StateError> {
        self.run(Operation::StateListKeys, |grant: Arc<Grant>| async move {
            let grant = &*grant;
            let store = store(grant)?;
            if !store.capabilities().list_keys {
                return Err(unsupported(grant, "listing keys"));
            }
            let limit = match limit {
                0 => KEYS_PAGE_DEFAULT,
                1..=KEYS_PAGE_MAX => limit,
                _ => {
                    let message =
                        format!("a page has at most {KEYS_PAGE_MAX} keys, asked for {limit}");
                    return Err(StateError::Invalid(message));
                }
            };
            let stored = [&grant.key_prefix, prefix].concat();
            let mut page = store.list_keys(&stored, limit, token).await?;
            let own = page
                .keys
                .iter()
                .filter_map(|key| guest_key(&grant.key_prefix, key));
            page.keys = own.map(str::to_owned).collect();
            Ok(page)
        })
        .await
    }

    fn grant(&self) -> Result<Arc<Grant>, StateError> {
        self.blocks.grant(
            &self.caller.namespace,
            &self.caller.app,
            Block::State,
            &self.store,
        )
    }

    /// The future owns its grant: a closure over borrows could not be proven `Send` by whoever spawns it.
    async fn run<T, F>(
        &self,
        operation: Operation,
        work: impl FnOnce(Arc<Grant>) -> F,
    ) -> Result<T, StateError>
    where
        F: Future<Output = Result<T, StateError>>,
    {
        let grant = self.grant()?;
        call(
            &grant.calls,
            operation,
            self.caller.deadline,
            work(grant.clone()),
        )
        .await
    }
}

fn store(grant: &Grant) -> Result<&dyn StateStore, StateError> {
    let opened = grant
        .opened
        .as_ref()
        .ok()
        .and_then(|opened| opened.state.as_deref());
    opened.ok_or_else(|| {
        StateError::Unavailable(format!("\"{}\" serves no state", grant.calls.backend))
    })
}

fn unsupported(grant: &Grant, what: &str) -> StateError {
    let calls = &grant.calls;
    StateError::Unsupported(format!(
        "{what}: state store \"{}\" ({}) cannot do this",
        calls.backend, calls.kind
    ))
}

fn check_batch(items: usize, most: Option<usize>) -> Result<(), StateError> {
    let most = most.unwrap_or(BATCH_ITEMS_MAX).min(BATCH_ITEMS_MAX);
    if items > most {
        return Err(StateError::TooLarge(format!(
            "{items} items in one call, the limit is {most}"
        )));
    }
    Ok(())
}

fn set_request(
    grant: &Grant,
    can: StateCapabilities,
    item: SetItem,
) -> Result<SetRequest, StateError> {
    let key = stored_key(&grant.key_prefix, &item.key)?;
    if item.value.len() > STATE_VALUE_BYTES_MAX {
        return Err(StateError::TooLarge(format!(
            "the value of \"{}\" has {} bytes, the limit is {STATE_VALUE_BYTES_MAX}",
            item.key,
            item.value.len()
        )));
    }
    let mut metadata = item.metadata;
    let asked = take_ttl(&mut metadata)?;
    let ttl = item.ttl.or(asked).filter(|ttl| !ttl.is_zero());
    if ttl.is_some() && !can.ttl {
        return Err(unsupported(grant, "a time to live"));
    }
    Ok(SetRequest {
        key,
        value: item.value,
        precondition: precondition(grant, can, item.etag.as_deref(), item.concurrency)?,
        consistency: item.consistency,
        ttl,
        content_type: item.content_type,
        metadata,
    })
}

fn delete_request(
    grant: &Grant,
    can: StateCapabilities,
    item: DeleteItem,
) -> Result<DeleteRequest, StateError> {
    Ok(DeleteRequest {
        key: stored_key(&grant.key_prefix, &item.key)?,
        precondition: precondition(grant, can, item.etag.as_deref(), item.concurrency)?,
        consistency: item.consistency,
        metadata: item.metadata,
    })
}

fn precondition(
    grant: &Grant,
    can: StateCapabilities,
    etag: Option<&str>,
    concurrency: Option<Concurrency>,
) -> Result<Precondition, StateError> {
    let precondition = Precondition::from_options(etag, concurrency);
    if precondition != Precondition::None && !can.etag {
        return Err(unsupported(grant, "etags"));
    }
    Ok(precondition)
}

fn step(
    grant: &Grant,
    can: StateCapabilities,
    operation: StateOperation,
    shared: &[(String, String)],
) -> Result<Step, StateError> {
    let merge = |metadata: &mut Vec<(String, String)>| {
        for (name, value) in shared {
            if !metadata
                .iter()
                .any(|(own, _)| own.eq_ignore_ascii_case(name))
            {
                metadata.push((name.clone(), value.clone()));
            }
        }
    };
    Ok(match operation {
        StateOperation::Set(mut item) => {
            merge(&mut item.metadata);
            Step::Set(set_request(grant, can, item)?)
        }
        StateOperation::Delete(mut item) => {
            merge(&mut item.metadata);
            Step::Delete(delete_request(grant, can, item)?)
        }
    })
}

/// Takes `ttlInSeconds` out of the metadata. -1 and 0 mean none.
fn take_ttl(metadata: &mut Vec<(String, String)>) -> Result<Option<Duration>, StateError> {
    let Some(place) = metadata
        .iter()
        .position(|(name, _)| name.eq_ignore_ascii_case(TTL))
    else {
        return Ok(None);
    };
    let (_, text) = metadata.remove(place);
    match text.trim().parse::<i64>() {
        Ok(-1..=0) => Ok(None),
        Ok(seconds @ 1..) if seconds <= i64::from(u32::MAX) => {
            Ok(Some(Duration::from_secs(seconds.unsigned_abs())))
        }
        _ => Err(StateError::Invalid(format!(
            "metadata {TTL} is `{text}`: expected a number of seconds, or -1 for no expiry"
        ))),
    }
}

type Placed<T> = Vec<(usize, T)>;

/// What goes to the backend and what does not, each with its place in the request.
fn separate<T>(
    requests: impl Iterator<Item = Result<T, StateError>>,
) -> (Placed<T>, Placed<StateError>) {
    let (mut sent, mut refused) = (Vec::new(), Vec::new());
    for (place, request) in requests.enumerate() {
        match request {
            Ok(request) => sent.push((place, request)),
            Err(error) => refused.push((place, error)),
        }
    }
    (sent, refused)
}

/// One answer per place; a place without one means that a driver returned too few.
fn in_order<T>(
    count: usize,
    answers: impl Iterator<Item = (usize, T)>,
    refused: Placed<StateError>,
    refuse: impl Fn(StateError) -> T,
) -> Vec<T> {
    let mut places: Vec<Option<T>> = std::iter::repeat_with(|| None).take(count).collect();
    for (place, answer) in answers {
        places[place] = Some(answer);
    }
    for (place, error) in refused {
        places[place] = Some(refuse(error));
    }
    let missing = || {
        refuse(StateError::Other(
            "the backend gave no answer for this key".to_owned(),
        ))
    };
    places
        .into_iter()
        .map(|answer| answer.unwrap_or_else(missing))
        .collect()
}

/// The keys that were refused or failed, in the order given.
fn failures(
    keys: Vec<String>,
    answers: Vec<Result<(), StateError>>,
    refused: Placed<StateError>,
) -> Vec<(String, StateError)> {
    let skipped: Vec<usize> = refused.iter().map(|(place, _)| *place).collect();
    let places: Vec<usize> = (0..keys.len())
        .filter(|place| !skipped.contains(place))
        .collect();
    let answers = in_order(keys.len(), places.into_iter().zip(answers), refused, Err);
    let failed = keys.into_iter().zip(answers);
    failed
        .filter_map(|(key, answer)| answer.err().map(|error| (key, error)))
        .collect()
}
