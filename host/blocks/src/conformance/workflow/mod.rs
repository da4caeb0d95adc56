//! What every workflow store does. Cases take a fresh, empty store and bring their own clock.

mod commits;
mod inboxes;
mod listing;
mod ownership;
mod tasks;

pub use commits::*;
pub use inboxes::*;
pub use listing::*;
pub use ownership::*;
pub use tasks::*;

use super::Subject;
use crate::workflow::{
    ClaimRequest, Claimed, Claims, Commit, Created, EventRow, InstanceKey, InstanceRow,
    InstanceState, Message, MessageId, NewInstance, NewTask, Release, Status, Timestamp, Waiting,
    WorkflowStore, WorkflowStoreError,
};
use berth_resources::{AppId, Namespace};
use bytes::Bytes;

/// The store under test.
pub type Store = Subject<dyn WorkflowStore>;

/// When cases begin: some time in 2023.
const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Longer than any case takes on its own clock.
const LATER: Timestamp = Timestamp(NOW.0 + 60_000);

fn app(name: &str) -> AppId {
    name.parse().expect("a name")
}

fn at(millis: i64) -> Timestamp {
    Timestamp(NOW.0 + millis)
}

fn key(id: &str) -> InstanceKey {
    InstanceKey::new(Namespace::default(), app("orders"), id)
}

fn event(seq: u64) -> EventRow {
    EventRow {
        seq,
        body: Bytes::from(format!("event {seq}")),
    }
}

fn message(text: &'static str) -> Message {
    Message {
        dedup: None,
        body: Bytes::from_static(text.as_bytes()),
        at: NOW,
    }
}

fn new(key: &InstanceKey) -> NewInstance {
    NewInstance {
        key: key.clone(),
        execution: format!("run of {}", key.id),
        workflow: "order".to_owned(),
        parent: None,
        events: vec![event(0)],
        blobs: Vec::new(),
        tasks: Vec::new(),
        ready_at: NOW,
        created_at: NOW,
        owner: None,
    }
}

fn task(operation: u64) -> NewTask {
    NewTask {
        app: app("orders"),
        operation,
        visible_at: NOW,
        body: Bytes::from(format!("task {operation}")),
    }
}

fn running() -> InstanceState {
    InstanceState {
        status: Status::Running,
        waiting: Some(Waiting {
            on: "activity \"charge\"".to_owned(),
            since: NOW,
        }),
        ..InstanceState::pending()
    }
}

fn ended() -> InstanceState {
    InstanceState {
        status: Status::Completed,
        outcome: Some(Bytes::from_static(b"\x00result")),
        finished_at: Some(NOW),
        expires_at: Some(at(1_000)),
        ..InstanceState::pending()
    }
}

/// A commit that changes nothing but the status.
fn commit(row: &InstanceRow) -> Commit {
    Commit {
        key: row.key.clone(),
        epoch: row.epoch,
        version: row.version,
        now: NOW,
        restart: None,
        events: Vec::new(),
        blobs: Vec::new(),
        state: running(),
        consumed: Vec::new(),
        sends: Vec::new(),
        starts: Vec::new(),
        tasks: Vec::new(),
        dropped_tasks: Vec::new(),
        release: None,
    }
}

fn release(ready_at: Option<Timestamp>) -> Release {
    Release {
        ready_at,
        seen: MessageId::START,
        now: NOW,
    }
}

fn assert_fenced<T: std::fmt::Debug>(answer: Result<T, WorkflowStoreError>) {
    let fenced = matches!(answer, Err(WorkflowStoreError::Fenced(_)));
    assert!(fenced, "{answer:?}");
}

impl Store {
    async fn join(&self, owner: &str) {
        let joined = self.backend.join(owner, NOW, LATER).await;
        joined.expect("a host joins");
    }

    /// An instance that nobody owns.
    async fn created(&self, id: &str) -> InstanceRow {
        self.create(new(&key(id))).await
    }

    async fn create(&self, instance: NewInstance) -> InstanceRow {
        match self.backend.create(instance, &[]).await {
            Ok(Created::New(row)) => row,
            other => panic!("{other:?}"),
        }
    }

    /// An instance that `owner` owns; the host joins first.
    async fn owned(&self, id: &str, owner: &str) -> InstanceRow {
        self.join(owner).await;
        let instance = NewInstance {
            owner: Some(owner.to_owned()),
            ..new(&key(id))
        };
        self.create(instance).await
    }

    async fn claim(&self, owner: &str, now: Timestamp) -> Claims {
        let request = ClaimRequest {
            owner: owner.to_owned(),
            apps: vec![(Namespace::default(), app("orders"))],
            limit: 100,
            now,
        };
        self.backend.claim(request).await.expect("a claim succeeds")
    }

    /// IDs that a claim gives.
    async fn claimed_ids(&self, owner: &str, now: Timestamp) -> Vec<String> {
        let claimed = self.claim(owner, now).await.claimed;
        claimed
            .iter()
            .map(|claimed| claimed.row.key.id.to_string())
            .collect()
    }

    async fn claim_one(&self, owner: &str, now: Timestamp) -> Claimed {
        let mut claimed = self.claim(owner, now).await.claimed;
        assert_eq!(claimed.len(), 1, "{claimed:?}");
        claimed.remove(0)
    }

    async fn commit(&self, commit: Commit) -> u64 {
        self.backend
            .commit(commit)
            .await
            .expect("a commit succeeds")
    }

    async fn row(&self, id: &str) -> InstanceRow {
        let row = self.backend.get(&key(id)).await.expect("a read succeeds");
        row.expect("the instance exists")
    }

    async fn events(&self, id: &str) -> Vec<EventRow> {
        let events = self.backend.history(&key(id), 0, 1_000).await;
        events.expect("a read succeeds")
    }

    /// What lies in an inbox.
    async fn inbox(&self, id: &str) -> Vec<(MessageId, Bytes)> {
        let messages = self.backend.inbox(&key(id), MessageId::START, 1_000).await;
        let messages = messages.expect("a read succeeds").into_iter();
        messages.map(|message| (message.id, message.body)).collect()
    }

    async fn send(&self, id: &str, message: Message) -> crate::workflow::Sent {
        let sent = self.backend.send(&key(id), message).await;
        sent.expect("a message is sent")
    }
}

/// The engine answers.
pub async fn it_answers_a_ping(store: Store) {
    assert_eq!(store.backend.ping().await, Ok(()));
}
