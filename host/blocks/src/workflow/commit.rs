//! What is written together.

use super::{InstanceKey, InstanceRow, InstanceState, NewTask, Timestamp};
use bytes::Bytes;

/// One event of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// From 0, without gaps.
    pub seq: u64,
    /// In the engine's encoding.
    pub body: Bytes,
}

/// A payload too large for an event, kept beside the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Names the bytes within the instance.
    pub digest: String,
    /// The payload.
    pub bytes: Bytes,
}

/// Orders the messages of an inbox; later ones have greater numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MessageId(pub i64);

/// A message on its way into an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// A message with the ID of one that the instance was already sent is dropped, also after that was consumed.
    pub dedup: Option<String>,
    /// In the engine's encoding.
    pub body: Bytes,
    /// When it was sent.
    pub at: Timestamp,
}

/// A message in an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its place.
    pub id: MessageId,
    /// In the engine's encoding.
    pub body: Bytes,
    /// When it was sent.
    pub at: Timestamp,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is in the inbox.
    Accepted,
    /// One with this ID came before; nothing changed.
    Duplicate,
    /// The instance has ended; nothing changed.
    Finished,
    /// There is no such instance.
    NotFound,
}

/// A message to another instance; to one that is gone or has ended it is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Whose inbox.
    pub to: InstanceKey,
    /// What it says.
    pub message: Message,
}

/// An instance to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInstance {
    /// Its identity.
    pub key: InstanceKey,
    /// Tells the runs of one ID apart.
    pub execution: String,
    /// Name of the workflow.
    pub workflow: String,
    /// Who started it as a child.
    pub parent: Option<InstanceKey>,
    /// Its first events.
    pub events: Vec<EventRow>,
    /// Payloads of these events.
    pub blobs: Vec<Blob>,
    /// Tasks that its events have begun, when it is a copy of another.
    pub tasks: Vec<NewTask>,
    /// When its code should first run.
    pub ready_at: Timestamp,
    /// When it is created.
    pub created_at: Timestamp,
    /// The host that takes it at once; absent: whoever claims it.
    pub owner: Option<String>,
}

/// What a creation gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It exists now, as this row says.
    New(InstanceRow),
    /// Another one has the key; nothing changed.
    Exists(InstanceRow),
}

/// A child to be created with a commit of its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartChild {
    /// The child; never owned at once.
    pub instance: NewInstance,
    /// Goes into the parent's own inbox if the child's key is taken.
    pub refused: Message,
}

/// Giving an instance up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// When somebody should take it again; absent: when a message comes.
    pub ready_at: Option<Timestamp>,
    /// Messages up to here are known to the owner and may wait. One that came later makes the instance ready at once.
    pub seen: MessageId,
    /// The owner's clock.
    pub now: Timestamp,
}

/// Changes of one instance that happen together, guarded by epoch and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The instance.
    pub key: InstanceKey,
    /// The epoch in which the writer owns it.
    pub epoch: u64,
    /// The version that the writer has seen.
    pub version: u64,
    /// The writer's clock.
    pub now: Timestamp,
    /// Drops history, blobs, tasks and consumed messages first; the run that follows has this execution.
    pub restart: Option<String>,
    /// To be appended.
    pub events: Vec<EventRow>,
    /// Payloads of these events.
    pub blobs: Vec<Blob>,
    /// The row from now on. A terminal status also drops tasks and inbox.
    pub state: InstanceState,
    /// Messages of the inbox that these events took in.
    pub consumed: Vec<MessageId>,
    /// To other instances.
    pub sends: Vec<Outgoing>,
    /// Children to be created.
    pub starts: Vec<StartChild>,
    /// Activities for the task queue.
    pub tasks: Vec<NewTask>,
    /// Operations whose tasks are no longer wanted.
    pub dropped_tasks: Vec<u64>,
    /// Gives the instance up in the same step; implied by a terminal status.
    pub release: Option<Release>,
}
