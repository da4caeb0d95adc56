//! `state.in-memory`: a sorted map behind one lock, held for single steps and never over an await. Can do everything
//! but survive the process.

use crate::{
    clock,
    memory::InMemoryWorkflows,
    registry::{Driver, OpenContext, OpenError, Opened},
    state::{
        DeleteRequest, Entry, GetOptions, KeyPage, Operation, Precondition, SetRequest,
        StateCapabilities, StateError, StateStore,
    },
};
use async_trait::async_trait;
use parking_lot::RwLock;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
    time::SystemTime,
};

/// Operations of one transaction.
const TRANSACTION_MAX: usize = 10_000;

pub(super) fn driver() -> Driver {
    Driver::new(
        "state.in-memory",
        &["v1"],
        "State in the memory of this process",
        open,
    )
}

/// `state.in-memory` has no metadata.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InMemoryMetadata {}

async fn open(_: OpenContext, _: InMemoryMetadata) -> Result<Opened, OpenError> {
    Ok(Opened {
        workflows: Some(Arc::new(InMemoryWorkflows::default())),
        ..Opened::state(InMemory::default())
    })
}

#[derive(Default)]
struct InMemory(RwLock<Table>);

#[derive(Default)]
struct Table {
    entries: BTreeMap<String, Entry>,
    /// Entries with a time to live by the end of it: expired ones are removed when something is written.
    expiries: BTreeSet<(SystemTime, String)>,
    /// Makes etags: one more with every write, so that a key written anew never has an old etag.
    writes: u64,
}

impl Table {
    fn live(&self, key: &str, now: SystemTime) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| is_live(entry, now))
    }

    fn check(
        &self,
        key: &str,
        precondition: &Precondition,
        now: SystemTime,
    ) -> Result<(), StateError> {
        if *precondition == Precondition::None {
            return Ok(());
        }
        let found = self.live(key, now).map(|entry| entry.etag.as_str());
        match (precondition, found) {
            (Precondition::None, _) | (Precondition::Absent, None) => Ok(()),
            (Precondition::Etag(etag), Some(found)) if etag == found => Ok(()),
            (Precondition::Absent, Some(_)) => Err(StateError::Conflict(format!(
                "key \"{key}\" exists already"
            ))),
            (Precondition::Etag(etag), Some(found)) => Err(StateError::Conflict(format!(
                "key \"{key}\" has etag {found}, not {etag}"
            ))),
            (Precondition::Etag(etag), None) => Err(StateError::Conflict(format!(
                "key \"{key}\" is absent and has no etag {etag}"
            ))),
        }
    }

    fn set(&mut self, request: SetRequest, now: SystemTime) -> Result<(), StateError> {
        self.check(&request.key, &request.precondition, now)?;
        let expires_at = match request.ttl {
            Some(ttl) => Some(now.checked_add(ttl).ok_or_else(|| {
                StateError::Invalid(format!("a time to live of {} s is too long", ttl.as_secs()))
            })?),
            None => None,
        };
        self.writes += 1;
        let entry = Entry {
            value: request.value,
            etag: self.writes.to_string(),
            content_type: request.content_type,
            expires_at,
        };
        self.put(request.key, Some(entry));
        Ok(())
    }

    fn delete(&mut self, request: &DeleteRequest, now: SystemTime) -> Result<(), StateError> {
        if let Precondition::Etag(_) = request.precondition {
            self.check(&request.key, &request.precondition, now)?;
        }
        self.put(request.key.clone(), None);
        Ok(())
    }

    /// Puts an entry in the place of the one before, or removes that.
    fn put(&mut self, key: String, entry: Option<Entry>) {
        let expires_at = entry.as_ref().and_then(|entry| entry.expires_at);
        if let Some(moment) = expires_at {
            self.expiries.insert((moment, key.clone()));
        }
        let before = match (entry, self.entries.get_mut(&key)) {
            (Some(entry), Some(place)) => Some(std::mem::replace(place, entry)),
            (None, _) => self.entries.remove(&key),
            (Some(entry), None) => {
                self.entries.insert(key, entry);
                return;
            }
        };
        let moment = before.and_then(|before| before.expires_at);
        if let Some(moment) = moment.filter(|moment| expires_at != Some(*moment)) {
            self.expiries.remove(&(moment, key));
        }
    }

    fn remove_expired(&mut self, now: SystemTime) {
        while self
            .expiries
            .first()
            .is_some_and(|(moment, _)| *moment <= now)
        {
            if let Some((_, key)) = self.expiries.pop_first() {
                self.entries.remove(&key);
            }
        }
    }

    fn transact(&mut self, operations: Vec<Operation>, now: SystemTime) -> Result<(), StateError> {
        let mut undo: Vec<(String, Option<Entry>)> = Vec::with_capacity(operations.len());
        for operation in operations {
            let key = match &operation {
                Operation::Set(request) => request.key.clone(),
                Operation::Delete(request) => request.key.clone(),
            };
            let before = self.entries.get(&key).cloned();
            let done = match operation {
                Operation::Set(request) => self.set(request, now),
                Operation::Delete(request) => self.delete(&request, now),
            };
            if let Err(error) = done {
                for (key, entry) in undo.into_iter().rev() {
                    self.put(key, entry);
                }
                return Err(error);
            }
            undo.push((key, before));
        }
        Ok(())
    }
}

fn is_live(entry: &Entry, now: SystemTime) -> bool {
    entry.expires_at.is_none_or(|moment| moment > now)
}

impl InMemory {
    fn write<T>(&self, step: impl FnOnce(&mut Table, SystemTime) -> T) -> T {
        let now = clock::now();
        let mut table = self.0.write();
        table.remove_expired(now);
        step(&mut table, now)
    }
}

#[async_trait]
impl StateStore for InMemory {
    fn capabilities(&self) -> StateCapabilities {
        StateCapabilities {
            etag: true,
            transactions: Some(TRANSACTION_MAX),
            ttl: true,
            list_keys: true,
            content_type: true,
        }
    }

    async fn get(&self, key: &str, _: &GetOptions) -> Result<Option<Entry>, StateError> {
        let table = self.0.read();
        let entry = table.entries.get(key);
        // The clock is read only for entries that can expire.
        Ok(entry
            .filter(|entry| entry.expires_at.is_none() || is_live(entry, clock::now()))
            .cloned())
    }

    async fn set(&self, request: SetRequest) -> Result<(), StateError> {
        self.write(|table, now| table.set(request, now))
    }

    async fn delete(&self, request: DeleteRequest) -> Result<(), StateError> {
        self.write(|table, now| table.delete(&request, now))
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<(), StateError> {
        self.write(|table, now| table.transact(operations, now))
    }

    async fn list_keys(
        &self,
        prefix: &str,
        limit: u32,
        token: Option<&str>,
    ) -> Result<KeyPage, StateError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let now = clock::now();
        let table = self.0.read();
        // The token is the last key of the page before: stable whatever is deleted in between.
        let from = match token {
            Some(last) => Bound::Excluded(last),
            None => Bound::Included(prefix),
        };
        let range = table.entries.range::<str, _>((from, Bound::Unbounded));
        let mut live = range
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, entry)| is_live(entry, now))
            .map(|(key, _)| key.clone());
        let keys: Vec<String> = live.by_ref().take(limit).collect();
        let next = live.next().and_then(|_| keys.last().cloned());
        Ok(KeyPage { keys, next })
    }

    async fn bulk_get(
        &self,
        keys: &[String],
        _: &GetOptions,
    ) -> Vec<Result<Option<Entry>, StateError>> {
        let now = clock::now();
        let table = self.0.read();
        keys.iter()
            .map(|key| Ok(table.live(key, now).cloned()))
            .collect()
    }

    async fn bulk_set(&self, requests: Vec<SetRequest>) -> Vec<Result<(), StateError>> {
        self.write(|table, now| {
            requests
                .into_iter()
                .map(|request| table.set(request, now))
                .collect()
        })
    }

    async fn bulk_delete(&self, requests: Vec<DeleteRequest>) -> Vec<Result<(), StateError>> {
        self.write(|table, now| {
            requests
                .iter()
                .map(|request| table.delete(request, now))
                .collect()
        })
    }

    async fn ping(&self) -> Result<(), StateError> {
        Ok(())
    }
}

#[cfg(test)]
async fn open_for_test() -> crate::conformance::Subject<dyn StateStore> {
    crate::conformance::Subject::new(Arc::new(InMemory::default()))
}

#[cfg(test)]
crate::state_conformance!(conformance: open_for_test);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn set(key: &str, ttl: Option<Duration>) -> SetRequest {
        SetRequest {
            key: key.to_owned(),
            value: "v".into(),
            precondition: Precondition::None,
            consistency: None,
            ttl,
            content_type: None,
            metadata: Vec::new(),
        }
    }

    #[test]
    fn expired_entries_leave_the_table_with_the_next_write() {
        let mut table = Table::default();
        let start = SystemTime::UNIX_EPOCH;
        let second = Duration::from_secs(1);
        for key in 0..100 {
            table
                .set(set(&key.to_string(), Some(second)), start)
                .unwrap();
        }
        table.set(set("kept", Some(second)), start).unwrap();
        table.set(set("kept", None), start).unwrap();
        table.remove_expired(start + second);
        assert_eq!(table.entries.keys().collect::<Vec<_>>(), ["kept"]);
        assert!(table.expiries.is_empty());
    }

    #[test]
    fn a_transaction_that_fails_puts_everything_back() {
        let mut table = Table::default();
        let now = SystemTime::UNIX_EPOCH;
        table.set(set("a", None), now).unwrap();
        let before = table.entries.clone();
        let conflict = SetRequest {
            precondition: Precondition::Absent,
            ..set("a", None)
        };
        let operations = vec![
            Operation::Set(set("b", None)),
            Operation::Set(set("a", None)),
            Operation::Set(conflict),
        ];
        assert!(table.transact(operations, now).is_err());
        assert_eq!(table.entries, before);
    }
}
