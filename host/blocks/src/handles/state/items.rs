//! What a guest asks for, and the request that a driver sees.

use crate::{
    backend::Grant,
    keys::stored_key,
    limits::{BATCH_ITEMS_MAX, STATE_VALUE_BYTES_MAX},
    state::{
        Concurrency, Consistency, DeleteRequest, Operation, Precondition, SetRequest,
        StateCapabilities, StateError,
    },
};
use bytes::Bytes;
use std::time::Duration;

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

pub(super) fn unsupported(grant: &Grant, what: &str) -> StateError {
    let calls = &grant.calls;
    StateError::Unsupported(format!(
        "{what}: state store \"{}\" ({}) cannot do this",
        calls.backend, calls.kind
    ))
}

pub(super) fn check_batch(items: usize) -> Result<(), StateError> {
    if items > BATCH_ITEMS_MAX {
        return Err(StateError::TooLarge(format!(
            "{items} items in one call, the limit is {BATCH_ITEMS_MAX}"
        )));
    }
    Ok(())
}

pub(super) fn check_operations(count: usize, of_store: usize) -> Result<(), StateError> {
    let max = of_store.min(BATCH_ITEMS_MAX);
    if count > max {
        return Err(StateError::TooManyOperations { count, max });
    }
    Ok(())
}

pub(super) fn set_request(
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

pub(super) fn delete_request(
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

pub(super) fn step(
    grant: &Grant,
    can: StateCapabilities,
    operation: StateOperation,
    shared: &[(String, String)],
) -> Result<Operation, StateError> {
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
            Operation::Set(set_request(grant, can, item)?)
        }
        StateOperation::Delete(mut item) => {
            merge(&mut item.metadata);
            Operation::Delete(delete_request(grant, can, item)?)
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
