//! State as doors call it.

mod bulk;
mod items;

pub use items::{DeleteItem, SetItem, StateOperation};

use super::pending::Pending;
use crate::{
    Blocks, Caller,
    backend::{Block, Grant},
    keys::{check_key, guest_key, stored_key},
    limits::{KEYS_PAGE_DEFAULT, KEYS_PAGE_MAX},
    pipeline::{Operation, call},
    state::{
        DeleteRequest, Entry, GetOptions, KeyPage, SetRequest, StateCapabilities, StateError,
        StateStore,
    },
};
use bulk::{Separated, failures};
use items::{check_batch, check_operations, delete_request, set_request, step, unsupported};
use std::sync::Arc;

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

    /// Whether the store can hold all of these keys: a door that must refuse a whole call for one of them asks first.
    ///
    /// # Errors
    /// What is wrong with the first that it cannot.
    pub fn check_keys<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Result<(), StateError> {
        keys.into_iter().try_for_each(check_key)
    }

    /// What the store can do.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn capabilities(&self) -> Result<StateCapabilities, StateError> {
        capabilities(&*self.grant()?)
    }

    /// The value of a key; `None` if absent or expired.
    ///
    /// # Errors
    /// What the guest can do about it.
    pub async fn get(&self, key: &str, options: GetOptions) -> Result<Option<Entry>, StateError> {
        let grant = self.grant()?;
        let key = stored_key(&grant.key_prefix, key);
        let options = &options;
        let get =
            |grant: Arc<Grant>, key: String| async move { store(&grant)?.get(&key, options).await };
        self.run(&grant, Operation::StateGet, key, get).await
    }

    /// Writes one key.
    ///
    /// # Errors
    /// What the guest can do about it.
    pub async fn set(&self, item: SetItem) -> Result<(), StateError> {
        let grant = self.grant()?;
        let request = capabilities(&grant).and_then(|can| set_request(&grant, can, item));
        let set = |grant: Arc<Grant>, request| async move { store(&grant)?.set(request).await };
        self.run(&grant, Operation::StateSet, request, set).await
    }

    /// Deletes one key.
    ///
    /// # Errors
    /// What the guest can do about it.
    pub async fn delete(&self, item: DeleteItem) -> Result<(), StateError> {
        let grant = self.grant()?;
        let request = capabilities(&grant).and_then(|can| delete_request(&grant, can, item));
        let delete =
            |grant: Arc<Grant>, request| async move { store(&grant)?.delete(request).await };
        self.run(&grant, Operation::StateDelete, request, delete)
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
        let grant = self.grant()?;
        let options = &options;
        let requests = check_batch(keys.len()).map(|()| {
            let stored = keys.iter().map(|key| stored_key(&grant.key_prefix, key));
            Separated::new(stored)
        });
        let get = |grant: Arc<Grant>, keys: Vec<String>| async move {
            Ok(store(&grant)?.bulk_get(&keys, options).await)
        };
        let answers = self
            .bulk(&grant, Operation::StateBulkGet, requests, get)
            .await?;
        Ok(keys.into_iter().zip(answers).collect())
    }

    /// Writes many keys, each on its own. Returns those that failed.
    ///
    /// # Errors
    /// Those of the call as a whole.
    pub async fn bulk_set(
        &self,
        items: Vec<SetItem>,
    ) -> Result<Vec<(String, StateError)>, StateError> {
        let grant = self.grant()?;
        let keys: Vec<String> = items.iter().map(|item| item.key.clone()).collect();
        let requests = check_batch(items.len()).and_then(|()| {
            let can = capabilities(&grant)?;
            let requests = items.into_iter().map(|item| set_request(&grant, can, item));
            Ok(Separated::new(requests))
        });
        let set = |grant: Arc<Grant>, mut sent: Vec<SetRequest>| async move {
            let store = store(&grant)?;
            Ok(match (sent.len(), sent.pop()) {
                (1, Some(only)) => vec![store.set(only).await],
                (_, Some(last)) => {
                    sent.push(last);
                    store.bulk_set(sent).await
                }
                (_, None) => Vec::new(),
            })
        };
        let answers = self
            .bulk(&grant, Operation::StateBulkSet, requests, set)
            .await?;
        Ok(failures(keys, answers))
    }

    /// Deletes many keys, each on its own. Returns those that failed.
    ///
    /// # Errors
    /// Those of the call as a whole.
    pub async fn bulk_delete(
        &self,
        items: Vec<DeleteItem>,
    ) -> Result<Vec<(String, StateError)>, StateError> {
        let grant = self.grant()?;
        let keys: Vec<String> = items.iter().map(|item| item.key.clone()).collect();
        let requests = check_batch(items.len()).and_then(|()| {
            let can = capabilities(&grant)?;
            let requests = items
                .into_iter()
                .map(|item| delete_request(&grant, can, item));
            Ok(Separated::new(requests))
        });
        let delete = |grant: Arc<Grant>, mut sent: Vec<DeleteRequest>| async move {
            let store = store(&grant)?;
            Ok(match (sent.len(), sent.pop()) {
                (1, Some(only)) => vec![store.delete(only).await],
                (_, Some(last)) => {
                    sent.push(last);
                    store.bulk_delete(sent).await
                }
                (_, None) => Vec::new(),
            })
        };
        let answers = self
            .bulk(&grant, Operation::StateBulkDelete, requests, delete)
            .await?;
        Ok(failures(keys, answers))
    }

    /// Applies all operations in order, or none. `metadata` holds for every operation that does not say otherwise.
    ///
    /// # Errors
    /// `Conflict` for a stale etag anywhere, `Unsupported` if the store has no transactions, `TooManyOperations` if not
    /// of this size.
    pub async fn transact(
        &self,
        operations: Vec<StateOperation>,
        metadata: Vec<(String, String)>,
    ) -> Result<(), StateError> {
        let grant = self.grant()?;
        let steps = steps(&grant, operations, &metadata);
        let transact = |grant: Arc<Grant>, steps: Vec<_>| async move {
            let store = store(&grant)?;
            if steps.is_empty() {
                Ok(())
            } else {
                store.transact(steps).await
            }
        };
        self.run(&grant, Operation::StateTransact, steps, transact)
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
        let grant = self.grant()?;
        let page = page(&grant, prefix, limit);
        let list = |grant: Arc<Grant>, (stored, limit): (String, u32)| async move {
            let mut page = store(&grant)?.list_keys(&stored, limit, token).await?;
            let own = page
                .keys
                .iter()
                .filter_map(|key| guest_key(&grant.key_prefix, key));
            page.keys = own.map(str::to_owned).collect();
            Ok(page)
        };
        self.run(&grant, Operation::StateListKeys, page, list).await
    }

    fn grant(&self) -> Result<Arc<Grant>, StateError> {
        self.blocks.grant(
            &self.caller.namespace,
            &self.caller.app,
            Block::State,
            &self.store,
        )
    }

    /// Runs a call whose items have an answer each: what was refused here is not sent, and what has its answer is not
    /// sent again.
    async fn bulk<R: Clone, A, F>(
        &self,
        grant: &Arc<Grant>,
        operation: Operation,
        mut separated: Result<Separated<R>, StateError>,
        send: impl Fn(Arc<Grant>, Vec<R>) -> F,
    ) -> Result<Vec<Result<A, StateError>>, StateError>
    where
        F: Future<Output = Result<Vec<Result<A, StateError>>, StateError>>,
    {
        let pending = match &mut separated {
            Ok(own) => Ok(Pending::new(grant, own.take())),
            Err(error) => Err(error.clone()),
        };
        let attempt = |grant: Arc<Grant>, pending: Pending<R, A, StateError>| {
            let (places, requests) = pending.take();
            let sent = (!requests.is_empty()).then(|| send(grant, requests));
            async move {
                match sent {
                    Some(sent) => pending.settle(&places, sent.await?),
                    None => Ok(()),
                }
            }
        };
        let ended = self.run(grant, operation, pending.clone(), attempt).await;
        match (separated, pending) {
            (Ok(separated), Ok(pending)) => Ok(separated.in_order(pending.finish(ended)?)),
            _ => ended.map(|()| Vec::new()),
        }
    }

    /// Runs one call. What it sends was prepared once, so that every attempt sends the same; `work` is one attempt. Its
    /// future owns its grant: a closure over borrows could not be proven `Send` by whoever spawns it.
    fn run<I: Clone, T, F>(
        &self,
        grant: &Arc<Grant>,
        operation: Operation,
        prepared: Result<I, StateError>,
        work: impl Fn(Arc<Grant>, I) -> F,
    ) -> impl Future<Output = Result<T, StateError>>
    where
        F: Future<Output = Result<T, StateError>>,
    {
        let attempt = move |prepared: Result<I, StateError>| {
            let attempt = prepared.map(|input| work(grant.clone(), input));
            async { attempt?.await }
        };
        let span = operation.span(&self.caller.trace, &grant.calls);
        let asked = (span, self.caller.deadline);
        call(grant, operation, asked, prepared, attempt)
    }
}

fn capabilities(grant: &Grant) -> Result<StateCapabilities, StateError> {
    Ok(store(grant)?.capabilities())
}

fn steps(
    grant: &Grant,
    operations: Vec<StateOperation>,
    metadata: &[(String, String)],
) -> Result<Vec<crate::state::Operation>, StateError> {
    let can = capabilities(grant)?;
    let Some(most) = can.transactions else {
        return Err(unsupported(grant, "transactions"));
    };
    check_operations(operations.len(), most)?;
    let steps = operations
        .into_iter()
        .map(|operation| step(grant, can, operation, metadata));
    steps.collect()
}

/// What is asked of the store for a page of keys: what they begin with there, and how many.
fn page(grant: &Grant, prefix: &str, limit: u32) -> Result<(String, u32), StateError> {
    if !capabilities(grant)?.list_keys {
        return Err(unsupported(grant, "listing keys"));
    }
    let limit = match limit {
        0 => KEYS_PAGE_DEFAULT,
        1..=KEYS_PAGE_MAX => limit,
        _ => {
            let message = format!("a page has at most {KEYS_PAGE_MAX} keys, asked for {limit}");
            return Err(StateError::Invalid(message));
        }
    };
    Ok(([&grant.key_prefix, prefix].concat(), limit))
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
