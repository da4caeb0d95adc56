//! Looking at a world: whether anything is under way, and what is there.

use super::{World, fixed::Fixed};
use crate::journal::readable;
use berth_blocks::{
    SetItem,
    state::GetOptions,
    workflow::{HistoryEvent, InstanceKey, InstanceView, Status},
};
use berth_resources::{AppId, scenario::StoreName};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// Keys of one page.
const PAGE: u32 = 1_000;

/// Events of a history that are looked at.
const EVENTS: usize = 10_000;

/// Waits until nothing is under way that ends by itself, at most `limit`.
pub(super) async fn settle(fixed: &Fixed, limit: Duration) {
    let began = Instant::now();
    loop {
        // Ends when everything else waits for something.
        tokio::time::sleep(super::TICK).await;
        if !is_busy(fixed).await {
            return;
        }
        let passed = began.elapsed();
        if passed >= limit {
            return;
        }
        // Finely at first, since most pauses are short.
        tokio::time::sleep((passed / 16).min(limit - passed)).await;
    }
}

/// Whether a guest works, a message is on its way, or a workflow does something.
async fn is_busy(fixed: &Fixed) -> bool {
    if fixed.probe.sites.is_busy() {
        return true;
    }
    for broker in fixed.backends.brokers() {
        let depths = broker.depths().await.unwrap_or_default();
        let on_its_way = depths
            .iter()
            .any(|depth| depth.group.is_some() && depth.waiting + depth.in_flight > 0);
        if on_its_way {
            return true;
        }
    }
    let rows = fixed.backends.workflows().into_iter();
    rows.flat_map(|store| store.rows()).any(|row| {
        let state = &row.state;
        match (state.status, &state.waiting) {
            (Status::Pending, _) => row.ready_at.is_none_or(|at| at <= row.updated_at),
            (Status::Running, None) => true,
            // A timer, or an event, is no work.
            (Status::Running, Some(waiting)) => {
                waiting.on.starts_with("activity") || waiting.on.starts_with("child")
            }
            _ => false,
        }
    })
}

/// A workflow instance, and what it did.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) view: InstanceView,
    pub(crate) history: Vec<HistoryEvent>,
}

impl World {
    /// Writes a value for an app.
    pub(crate) fn put(&self, store: &StoreName, key: &str, value: Vec<u8>) -> Result<(), String> {
        self.aside(async |fixed, life| {
            let caller = fixed.caller(store.app.as_ref());
            let state = life.blocks.state(&caller, &store.name);
            let item = SetItem {
                key: key.to_owned(),
                value: value.into(),
                etag: None,
                concurrency: None,
                consistency: None,
                ttl: None,
                content_type: None,
                metadata: Vec::new(),
            };
            state.set(item).await.map_err(|error| error.to_string())
        })
    }

    /// A value of an app; `None`: there is none.
    pub(crate) fn get(&self, store: &StoreName, key: &str) -> Result<Option<Value>, String> {
        self.aside(async |fixed, life| {
            let caller = fixed.caller(store.app.as_ref());
            let state = life.blocks.state(&caller, &store.name);
            let found = state.get(key, GetOptions::default()).await;
            let found = found.map_err(|error| error.to_string())?;
            Ok(found.map(|entry| readable(&entry.value)))
        })
    }

    /// Everything in every store, by key as it is stored.
    pub(crate) fn all_state(&self) -> Result<BTreeMap<String, BTreeMap<String, Value>>, String> {
        self.aside(async |fixed, _| {
            let mut all = BTreeMap::new();
            for (name, store) in fixed.backends.stores() {
                let mut values = BTreeMap::new();
                let mut token = None;
                loop {
                    let page = store.list_keys("", PAGE, token.as_deref()).await;
                    let page = page.map_err(|error| error.to_string())?;
                    for key in page.keys {
                        let found = store.get(&key, &GetOptions::default()).await;
                        let found = found.map_err(|error| error.to_string())?;
                        if let Some(entry) = found {
                            values.insert(key, readable(&entry.value));
                        }
                    }
                    token = page.next;
                    if token.is_none() {
                        break;
                    }
                }
                all.insert(name, values);
            }
            Ok(all)
        })
    }

    /// A workflow instance; `None`: there is none.
    pub(crate) fn instance(
        &self,
        app: Option<&AppId>,
        id: &str,
    ) -> Result<Option<Instance>, String> {
        self.aside(async |fixed, life| {
            let caller = fixed.caller(app);
            let workflows = life.blocks.workflows(&caller);
            let text = |error: berth_blocks::workflow::WorkflowError| error.to_string();
            let key = workflows.key(None, id).map_err(text)?;
            let Some(view) = workflows.get(&key).await.map_err(text)? else {
                return Ok(None);
            };
            let history = workflows.history(&key, 0, EVENTS).await.map_err(text)?;
            Ok(Some(Instance { view, history }))
        })
    }

    /// Every workflow instance.
    pub(crate) fn instances(&self) -> Vec<InstanceKey> {
        let stores = self.fixed.backends.workflows().into_iter();
        let rows = stores.flat_map(|store| store.rows());
        rows.map(|row| row.key).collect()
    }
}
