//! Activities that wait in the store for whichever host serves their app.

use super::{InstanceKey, Timestamp};
use berth_resources::AppId;
use bytes::Bytes;

/// An activity for the queue; one per operation of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// The app that runs it, in the namespace of the instance.
    pub app: AppId,
    /// The operation of the instance that waits for it. A task of the same operation is replaced.
    pub operation: u64,
    /// When it may be taken.
    pub visible_at: Timestamp,
    /// In the engine's encoding.
    pub body: Bytes,
}

/// A claim on a task: a later claim of the same task has another `claim`, and ends this one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId {
    /// The instance that waits for it.
    pub key: InstanceKey,
    /// The operation that waits for it.
    pub operation: u64,
    /// Of this claim.
    pub claim: u64,
}

/// A task that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedTask {
    /// The claim.
    pub id: TaskId,
    /// The app that runs it.
    pub app: AppId,
    /// How often it was claimed, this time included.
    pub deliveries: u32,
    /// In the engine's encoding.
    pub body: Bytes,
}
