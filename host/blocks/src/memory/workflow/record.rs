//! One instance with everything that belongs to it.

use crate::workflow::{
    Blob, Commit, EventRow, InstanceKey, InstanceRow, InstanceState, Message, MessageId,
    NewInstance, NewTask, Release, Sent, Status, StoredMessage, Timestamp,
};
use berth_resources::AppId;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// A task of an instance.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) app: AppId,
    pub(super) body: Bytes,
    pub(super) visible_at: Timestamp,
    /// Of the claim that holds it, or held it last. Never given twice by a store, so that a claim on a former task of
    /// the same operation cannot finish this one.
    pub(super) claim: u64,
    pub(super) deliveries: u32,
    /// Older tasks go first.
    pub(super) order: u64,
}

/// A stored instance.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) execution: String,
    workflow: String,
    parent: Option<InstanceKey>,
    pub(super) state: InstanceState,
    events: Vec<Bytes>,
    pub(super) blobs: BTreeMap<String, Bytes>,
    inbox: BTreeMap<MessageId, StoredMessage>,
    /// IDs of messages, those that were consumed included.
    seen: BTreeSet<String>,
    last_message: MessageId,
    pub(super) tasks: BTreeMap<u64, Task>,
    pub(super) version: u64,
    pub(super) epoch: u64,
    pub(super) owner: Option<String>,
    pub(super) ready_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Rises with every creation: the order of a listing.
    pub(super) order: u64,
}

impl Record {
    /// A new instance; `before` is the one whose place it takes.
    pub(super) fn new(instance: NewInstance, before: Option<&Self>, order: u64) -> Self {
        let owned = u64::from(instance.owner.is_some());
        Self {
            execution: instance.execution,
            workflow: instance.workflow,
            parent: instance.parent,
            state: InstanceState::pending(),
            events: instance
                .events
                .into_iter()
                .map(|event| event.body)
                .collect(),
            blobs: by_digest(instance.blobs),
            inbox: BTreeMap::new(),
            seen: BTreeSet::new(),
            last_message: before.map_or(MessageId::START, |before| before.last_message),
            tasks: BTreeMap::new(),
            version: before.map_or(1, |before| before.version + 1),
            epoch: before.map_or(owned, |before| before.epoch + 1),
            owner: instance.owner,
            ready_at: Some(instance.ready_at),
            created_at: instance.created_at,
            updated_at: instance.created_at,
            order,
        }
    }

    pub(super) fn row(&self, key: &InstanceKey) -> InstanceRow {
        InstanceRow {
            key: key.clone(),
            execution: self.execution.clone(),
            workflow: self.workflow.clone(),
            parent: self.parent.clone(),
            state: self.state.clone(),
            events: self.events.len() as u64,
            version: self.version,
            epoch: self.epoch,
            owner: self.owner.clone(),
            ready_at: self.ready_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// Its row as lists show it.
    pub(super) fn listed(&self, key: &InstanceKey) -> InstanceRow {
        let mut row = self.row(key);
        row.state.outcome = None;
        row
    }

    pub(super) fn workflow(&self) -> &str {
        &self.workflow
    }

    pub(super) fn parent(&self) -> Option<&InstanceKey> {
        self.parent.as_ref()
    }

    /// Rows beside the instance's own: events, messages, tasks, blobs.
    pub(super) fn counts(&self) -> [usize; 4] {
        let consumed = self.seen.len();
        [
            self.events.len(),
            self.inbox.len() + consumed,
            self.tasks.len(),
            self.blobs.len(),
        ]
    }

    pub(super) fn history(&self, from: u64, limit: usize) -> Vec<EventRow> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let rows = self.events.iter().enumerate().skip(from).take(limit);
        rows.map(|(seq, body)| EventRow {
            seq: seq as u64,
            body: body.clone(),
        })
        .collect()
    }

    pub(super) fn inbox(&self, after: MessageId, limit: usize) -> Vec<StoredMessage> {
        let later = self.inbox.range(MessageId(after.0.saturating_add(1))..);
        later
            .take(limit)
            .map(|(_, message)| message.clone())
            .collect()
    }

    /// Takes a message in; a terminal instance takes none.
    pub(super) fn receive(&mut self, message: Message) -> Sent {
        if self.state.status.is_terminal() {
            return Sent::Finished;
        }
        if let Some(dedup) = message.dedup
            && !self.seen.insert(dedup)
        {
            return Sent::Duplicate;
        }
        self.last_message.0 += 1;
        let stored = StoredMessage {
            id: self.last_message,
            body: message.body,
            at: message.at,
        };
        self.inbox.insert(stored.id, stored);
        if self.owner.is_none() {
            self.ready_at = Some(self.ready_at.map_or(message.at, |at| at.min(message.at)));
        }
        Sent::Accepted
    }

    pub(super) fn add_task(&mut self, task: NewTask, order: u64) {
        let stored = Task {
            app: task.app,
            body: task.body,
            visible_at: task.visible_at,
            claim: 0,
            deliveries: 0,
            order,
        };
        self.tasks.insert(task.operation, stored);
    }

    /// The part of a commit that concerns this instance alone.
    pub(super) fn apply(&mut self, commit: &mut Commit) {
        if let Some(execution) = commit.restart.take() {
            self.execution = execution;
            self.events.clear();
            self.blobs.clear();
            self.tasks.clear();
        }
        self.events
            .extend(commit.events.drain(..).map(|event| event.body));
        self.blobs
            .extend(by_digest(std::mem::take(&mut commit.blobs)));
        for id in &commit.consumed {
            self.inbox.remove(id);
        }
        for operation in &commit.dropped_tasks {
            self.tasks.remove(operation);
        }
        self.state = commit.state.clone();
        self.version += 1;
        self.updated_at = commit.now;
        if self.state.status.is_terminal() {
            self.inbox.clear();
            self.tasks.clear();
            self.owner = None;
            self.ready_at = None;
        }
    }

    /// After everything else of the commit, since a message to itself counts as one that came later.
    pub(super) fn release(&mut self, release: Release) {
        if self.state.status.is_terminal() {
            return;
        }
        let later = self
            .inbox
            .keys()
            .next_back()
            .is_some_and(|last| *last > release.seen);
        self.owner = None;
        self.ready_at = if later {
            Some(release.now)
        } else {
            release.ready_at
        };
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.state.status == Status::Stalled
    }
}

fn by_digest(blobs: Vec<Blob>) -> BTreeMap<String, Bytes> {
    blobs
        .into_iter()
        .map(|blob| (blob.digest, blob.bytes))
        .collect()
}
