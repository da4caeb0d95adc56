//! What tests of stores on servers have in common: instances, commits, and a load that finds out what was lost.

use berth_blocks::{conformance::eventually, workflow::*};
use berth_resources::Namespace;
use bytes::Bytes;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000);
pub(super) const LATER: Timestamp = Timestamp(NOW.0 + 3_600_000);

pub(super) fn key(id: &str) -> InstanceKey {
    InstanceKey::new(Namespace::default(), "orders".parse().unwrap(), id)
}

pub(super) fn event(seq: u64) -> EventRow {
    EventRow {
        seq,
        body: Bytes::from(format!("event {seq}")),
    }
}

pub(super) fn new(key: InstanceKey, owner: Option<&str>) -> NewInstance {
    NewInstance {
        key,
        execution: "run".to_owned(),
        workflow: "order".to_owned(),
        parent: None,
        events: vec![event(0)],
        blobs: Vec::new(),
        tasks: Vec::new(),
        ready_at: NOW,
        created_at: NOW,
        owner: owner.map(str::to_owned),
    }
}

/// A commit with one more event.
pub(super) fn next(row: &InstanceRow) -> Commit {
    let state = InstanceState {
        status: Status::Running,
        ..InstanceState::pending()
    };
    Commit {
        key: row.key.clone(),
        epoch: row.epoch,
        version: row.version,
        now: NOW,
        restart: None,
        events: vec![event(row.events)],
        blobs: Vec::new(),
        state,
        consumed: Vec::new(),
        sends: Vec::new(),
        starts: Vec::new(),
        tasks: Vec::new(),
        dropped_tasks: Vec::new(),
        release: None,
    }
}

pub(super) async fn create(
    store: &dyn WorkflowStore,
    id: &str,
    owner: Option<&str>,
) -> InstanceRow {
    match store.create(new(key(id), owner), &[]).await.unwrap() {
        Created::New(row) => row,
        Created::Exists(row) => panic!("{row:?}"),
    }
}

pub(super) async fn row(store: &dyn WorkflowStore, id: &str) -> InstanceRow {
    store.get(&key(id)).await.unwrap().unwrap()
}

pub(super) fn claim(owner: &str, now: Timestamp) -> ClaimRequest {
    ClaimRequest {
        owner: owner.to_owned(),
        apps: vec![(Namespace::default(), "orders".parse().unwrap())],
        limit: 1_000,
        now,
    }
}

/// A message without an ID.
pub(super) fn message(text: &'static str) -> Message {
    Message {
        dedup: None,
        body: Bytes::from_static(text.as_bytes()),
        at: NOW,
    }
}

pub(super) fn outgoing(to: &str) -> Outgoing {
    Outgoing {
        to: key(to),
        message: message("hello"),
    }
}

/// An instance with something in every place.
pub(super) fn full(key: InstanceKey, owner: Option<&str>) -> NewInstance {
    let task = NewTask {
        app: key.app.clone(),
        operation: 1,
        visible_at: NOW,
        body: Bytes::from_static(b"task"),
    };
    let blob = Blob {
        digest: "digest".to_owned(),
        bytes: Bytes::from_static(b"blob"),
    };
    NewInstance {
        blobs: vec![blob],
        tasks: vec![task],
        ..new(key, owner)
    }
}

/// Every second one also sends messages, in commits that reach another instance.
fn is_sender(writer: u32) -> bool {
    writer.is_multiple_of(2)
}

/// Instances that are committed to without a pause, each by one writer that does what an engine does after an error: it
/// looks at what is stored.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    /// Commits that were acknowledged, and those whose outcome was left open.
    acknowledged: Arc<AtomicU64>,
    pub(super) open: Arc<AtomicU64>,
    writers: Vec<tokio::task::JoinHandle<(String, u64)>>,
}

impl Load {
    pub(super) async fn start(store: &Arc<dyn WorkflowStore>) -> Self {
        store.join("host", NOW, LATER).await.unwrap();
        let mut load = Self {
            stop: Arc::default(),
            acknowledged: Arc::default(),
            open: Arc::default(),
            writers: Vec::new(),
        };
        create(&**store, "target", None).await;
        for writer in 0..8 {
            let id = format!("{writer}");
            let first = create(&**store, &id, Some("host")).await;
            let (store, stop) = (store.clone(), load.stop.clone());
            let (acknowledged, open) = (load.acknowledged.clone(), load.open.clone());
            load.writers.push(tokio::spawn(async move {
                let (mut known, mut reached) = (first, 0);
                while !stop.load(Ordering::Relaxed) {
                    let mut commit = next(&known);
                    if is_sender(writer) {
                        commit.sends.push(outgoing("target"));
                    }
                    match store.commit(commit).await {
                        Ok(version) => {
                            acknowledged.fetch_add(1, Ordering::Relaxed);
                            reached = known.events + 1;
                            known.version = version;
                            known.events = reached;
                        }
                        Err(WorkflowStoreError::Unavailable(_)) => {
                            open.fetch_add(1, Ordering::Relaxed);
                            known = reloaded(&*store, &id).await;
                        }
                        // One that was given up was carried out after it was looked for.
                        Err(WorkflowStoreError::Fenced(_)) => known = reloaded(&*store, &id).await,
                        Err(other) => panic!("{other:?}"),
                    }
                    assert!(known.events >= reached, "an acknowledged commit is gone");
                }
                (id, reached)
            }));
        }
        load
    }

    pub(super) async fn goes_on(&self) {
        let before = self.acknowledged.load(Ordering::Relaxed);
        eventually("commits succeed", async || {
            self.acknowledged.load(Ordering::Relaxed) > before + 50
        })
        .await;
    }

    /// Stops, and looks for everything that was acknowledged.
    pub(super) async fn nothing_is_lost_or_done_twice(self, store: &dyn WorkflowStore) {
        self.stop.store(true, Ordering::Relaxed);
        let mut sent = 0;
        for writer in self.writers {
            let (id, reached) = writer.await.unwrap();
            // A connection that was just being opened may have been broken, too.
            let row = reloaded(store, &id).await;
            let history = store.history(&key(&id), 0, usize::MAX).await.unwrap();
            assert!(row.events >= reached, "{id}: {} of {reached}", row.events);
            assert_eq!(history.len() as u64, row.events, "{id}");
            for (place, stored) in (0..).zip(history) {
                assert_eq!(stored, event(place), "{id}");
            }
            // Each commit has one event: all of it happened, or nothing.
            assert_eq!(row.version, row.events, "{id}");
            if id.parse().is_ok_and(is_sender) {
                sent += row.version - 1;
            }
        }
        let inbox = store
            .inbox(&key("target"), MessageId::START, usize::MAX)
            .await;
        assert_eq!(
            inbox.unwrap().len() as u64,
            sent,
            "messages without their commits"
        );
    }
}

pub(super) async fn reloaded(store: &dyn WorkflowStore, id: &str) -> InstanceRow {
    loop {
        match store.get(&key(id)).await {
            Ok(Some(row)) => return row,
            Ok(None) => panic!("{id} is gone"),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
