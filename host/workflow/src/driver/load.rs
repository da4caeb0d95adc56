//! Brings an instance to life from its history.

use super::{Attempts, Driver, Exit, Inbox, exit};
use crate::{
    Event, Payload,
    codec::{self, StoredEvent},
    core::Core,
    engine::{Instance, Shared},
};
use berth_blocks::workflow::{EventRow, InstanceRow, WorkflowStore};
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

/// Events read at once.
const PAGE: usize = 1_000;

/// The driver of an instance that this host owns. `events`: the history of one that has just been created, and of whose
/// messages the engine knows.
pub(crate) async fn load(
    shared: &Arc<Shared>,
    instance: &Arc<Instance>,
    row: InstanceRow,
    taken_over: bool,
    events: Option<VecDeque<Event>>,
) -> Result<Driver, Exit> {
    let is_new = events.is_some();
    let events = match events {
        Some(events) => events,
        None => history(&*shared.store, &row).await?,
    };
    let core = Core::new(row.key.clone(), events);
    let Some(mut core) = core else {
        return Err(Exit::Lost(format!("{} has no history", row.key)));
    };
    core.custom_status.clone_from(&row.state.custom_status);
    shared.reach("loaded").await;
    Ok(Driver {
        shared: shared.clone(),
        instance: instance.clone(),
        key: row.key.clone(),
        epoch: row.epoch,
        version: row.version,
        state: row.state.clone(),
        row,
        taken_over,
        core: Arc::new(Mutex::new(core)),
        guest: None,
        inbox: Inbox {
            stale: !is_new,
            ..Inbox::default()
        },
        attempts: Attempts::default(),
        due: BTreeSet::new(),
        consumed: Vec::new(),
        sends: Vec::new(),
        dropped_tasks: Vec::new(),
        flush_at: None,
        idle_since: shared.platform.now(),
    })
}

/// A history that cannot be read is not replaced by another: the instance waits for a build that can.
pub(crate) async fn history(
    store: &dyn WorkflowStore,
    row: &InstanceRow,
) -> Result<VecDeque<Event>, Exit> {
    let mut events = VecDeque::new();
    loop {
        let page = history_page(store, row, events.len() as u64, PAGE).await?;
        let full = page.len() == PAGE;
        events.extend(page);
        if !full {
            return Ok(events);
        }
    }
}

/// Events from number `from` on, at most `limit`.
pub(crate) async fn history_page(
    store: &dyn WorkflowStore,
    row: &InstanceRow,
    from: u64,
    limit: usize,
) -> Result<Vec<Event>, Exit> {
    let page = store.history(&row.key, from, limit).await.map_err(exit)?;
    let mut events = Vec::with_capacity(page.len());
    for stored in page {
        events.push(read(store, row, &stored).await?);
    }
    Ok(events)
}

async fn read(
    store: &dyn WorkflowStore,
    row: &InstanceRow,
    stored: &EventRow,
) -> Result<Event, Exit> {
    let decoded = codec::decode_event(&stored.body);
    let StoredEvent { mut event, blob } = decoded
        .map_err(|error| Exit::Retry(format!("{}, event {}: {error}", row.key, stored.seq)))?;
    if let Some(digest) = blob {
        let bytes = store.blob(&row.key, &digest).await.map_err(exit)?;
        let missing = || {
            Exit::Retry(format!(
                "{}, event {}: its payload is gone",
                row.key, stored.seq
            ))
        };
        let content_type = event.payload.and_then(|payload| payload.content_type);
        event.payload = Some(Payload {
            data: bytes.ok_or_else(missing)?,
            content_type,
        });
    }
    Ok(event)
}
