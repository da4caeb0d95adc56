//! State as doors call it.

mod bulk;
mod items;

pub use items::{DeleteItem, SetItem, StateOperation};

use crate::{
    Blocks, Caller,
    backend::{Block, Grant},
    keys::{check_key, guest_key, stored_key},
    limits::{KEYS_PAGE_DEFAULT, KEYS_PAGE_MAX},
    pipeline::{Operation, call},
    state::{Entry, GetOptions, KeyPage, StateCapabilities, StateError, StateStore},
};
use bulk::Separated;
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
            check_batch(keys.len())?;
            let requests = keys.iter().map(|key| stored_key(&grant.key_prefix, key));
            let requests = Separated::new(requests);
            let answers = match requests.sent.len() {
                0 => Vec::new(),
                _ => store.bulk_get(&requests.sent, &options).await,
            };
            let answers = requests.in_order(answers);
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
            check_batch(items.len())?;
            let can = store.capabilities();
            let keys: Vec<String> = items.iter().map(|item| item.key.clone()).collect();
            let requests = items.into_iter().map(|item| set_request(grant, can, item));
            let mut requests = Separated::new(requests);
            let mut sent = requests.take();
            let answers = match (sent.len(), sent.pop()) {
                (1, Some(only)) => vec![store.set(only).await],
                (_, Some(last)) => {
                    sent.push(last);
                    store.bulk_set(sent).await
                }
                (_, None) => Vec::new(),
            };
            Ok(requests.failures(keys, answers))
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
            check_batch(items.len())?;
            let can = store.capabilities();
            let keys: Vec<String> = items.iter().map(|item| item.key.clone()).collect();
            let requests = items
                .into_iter()
                .map(|item| delete_request(grant, can, item));
            let mut requests = Separated::new(requests);
            let mut sent = requests.take();
            let answers = match (sent.len(), sent.pop()) {
                (1, Some(only)) => vec![store.delete(only).await],
                (_, Some(last)) => {
                    sent.push(last);
                    store.bulk_delete(sent).await
                }
                (_, None) => Vec::new(),
            };
            Ok(requests.failures(keys, answers))
        })
        .await
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
        self.run(Operation::StateTransact, |grant: Arc<Grant>| async move {
            let grant = &*grant;
            let store = store(grant)?;
            let can = store.capabilities();
            let Some(most) = can.transactions else {
                return Err(unsupported(grant, "transactions"));
            };
            check_operations(operations.len(), most)?;
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
