//! Workflow storage: what the durable engine (`berth-workflow`) needs of an engine that keeps instances.
//!
//! A store keeps rows and knows no workflow: events, messages and task bodies are opaque bytes. Its one hard duty is
//! [`WorkflowStore::commit`]: everything of a [`Commit`] happens at once, and only if the writer still owns the
//! instance (its epoch) and has seen all of it (its version). Its conformance suite is `conformance::workflow`.
//!
//! ```text
//! instance ─┬─ events     its history, append-only, numbered from 0 without gaps
//!           ├─ inbox      messages to it: external events, results of children and tasks, control
//!           ├─ blobs      payloads too large for an event
//!           └─ tasks      activities that wait for whichever host serves their app
//! host ───────  one lease for all instances that it owns
//! ```
//!
//! Ownership. A host joins with a lease and renews that one lease, however many instances it owns. Claiming an
//! instance raises its epoch, so that a host that was taken for dead and comes back is refused at its next commit.

mod client;
mod commit;
mod instance;
mod task;

pub use client::{
    Conflict, Failure, HistoryEvent, InstanceView, Payload, RerunOptions, Reuse, StartOptions,
    StartedInstance, WorkflowEngine, WorkflowError,
};
pub use commit::{
    Blob, Commit, Created, EventRow, Message, MessageId, NewInstance, Outgoing, Release, Sent,
    StartChild, StoredMessage,
};
pub use instance::{
    ClaimRequest, Claimed, Claims, InstanceKey, InstancePage, InstanceQuery, InstanceRow,
    InstanceState, Status, Timestamp, Waiting,
};
pub use task::{ClaimedTask, NewTask, TaskId};

use async_trait::async_trait;
use berth_resources::{AppId, Namespace};
use bytes::Bytes;

/// Why a store refused: the variant says what the engine does about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkflowStoreError {
    /// There is no such instance.
    #[error("{0}")]
    NotFound(String),
    /// The writer's epoch or version is not the instance's: somebody else owns it, or it changed. Nothing is stored.
    #[error("{0}")]
    Fenced(String),
    /// The instance is not in a state that allows this. Nothing is stored.
    #[error("{0}")]
    NotAllowed(String),
    /// The engine cannot be reached, is busy or out of space; whether a change happened is unknown.
    #[error("{0}")]
    Unavailable(String),
    /// Over a limit of the engine. Nothing is stored.
    #[error("{0}")]
    TooLarge(String),
    /// Anything else; whether a change happened is unknown.
    #[error("{0}")]
    Other(String),
}

impl From<WorkflowStoreError> for WorkflowError {
    fn from(error: WorkflowStoreError) -> Self {
        match error {
            WorkflowStoreError::NotFound(text) => Self::NotFound(text),
            WorkflowStoreError::NotAllowed(text) | WorkflowStoreError::Fenced(text) => {
                Self::NotAllowed(text)
            }
            WorkflowStoreError::TooLarge(text) => Self::TooLarge(text),
            WorkflowStoreError::Unavailable(text) | WorkflowStoreError::Other(text) => {
                Self::Unavailable(text)
            }
        }
    }
}

/// A store of workflow instances: one attempt per call, no policy.
///
/// `now` comes with every call that compares times, so that the engine can run on a virtual clock. A store that several
/// hosts share may use its own clock for leases instead.
#[async_trait]
pub trait WorkflowStore: Send + Sync + 'static {
    /// Makes a host known, with a lease until `until`. Where the store can tell that runs of hosts are over, their
    /// leases end here.
    async fn join(
        &self,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), WorkflowStoreError>;

    /// Extends the lease of a host, and with it the ownership of all its instances. A host that left is known again.
    async fn renew(&self, owner: &str, until: Timestamp) -> Result<(), WorkflowStoreError>;

    /// Ends the lease of a host at once: others may claim what it still owns.
    async fn leave(&self, owner: &str) -> Result<(), WorkflowStoreError>;

    /// Creates an instance with its first events, unless one with this key exists whose status is not in `replaces`.
    /// One that is replaced goes with everything that belongs to it; epoch and version go on from its own.
    async fn create(
        &self,
        instance: NewInstance,
        replaces: &[Status],
    ) -> Result<Created, WorkflowStoreError>;

    /// Takes instances over that nobody owns and that are ready, or whose owner's lease has ended; in the order in
    /// which they became ready. Each gets a new epoch.
    async fn claim(&self, request: ClaimRequest) -> Result<Claims, WorkflowStoreError>;

    /// What a host owns, with the epochs: to find what it got by a call whose answer was lost.
    async fn owned(&self, owner: &str) -> Result<Vec<(InstanceKey, u64)>, WorkflowStoreError>;

    /// Applies all changes of a commit, or none. Gives the new version.
    async fn commit(&self, commit: Commit) -> Result<u64, WorkflowStoreError>;

    /// Gives an instance up without a change of its history. Need not survive a power failure: the lease ends anyway.
    async fn release(
        &self,
        key: &InstanceKey,
        epoch: u64,
        release: Release,
    ) -> Result<(), WorkflowStoreError>;

    /// Events from number `from` on, at most `limit`, in order.
    async fn history(
        &self,
        key: &InstanceKey,
        from: u64,
        limit: usize,
    ) -> Result<Vec<EventRow>, WorkflowStoreError>;

    /// The bytes of a payload that was too large for its event.
    async fn blob(
        &self,
        key: &InstanceKey,
        digest: &str,
    ) -> Result<Option<Bytes>, WorkflowStoreError>;

    /// Puts a message into the inbox of an instance and makes the instance ready.
    async fn send(&self, to: &InstanceKey, message: Message) -> Result<Sent, WorkflowStoreError>;

    /// Messages after `after` that no commit has consumed, at most `limit`, in the order they came.
    async fn inbox(
        &self,
        key: &InstanceKey,
        after: MessageId,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, WorkflowStoreError>;

    /// The row of an instance.
    async fn get(&self, key: &InstanceKey) -> Result<Option<InstanceRow>, WorkflowStoreError>;

    /// Rows that match, newest first, without their outcomes, which may be large.
    async fn list(&self, query: InstanceQuery) -> Result<InstancePage, WorkflowStoreError>;

    /// Removes an instance with everything that belongs to it, whatever its status if `force`, else only when it has
    /// ended. `false`: there is none.
    async fn purge(&self, key: &InstanceKey, force: bool) -> Result<bool, WorkflowStoreError>;

    /// Removes up to `limit` instances whose retention has ended; how many.
    async fn purge_expired(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, WorkflowStoreError>;

    /// Makes the stalled instances of an app ready, since its code has changed; how many.
    async fn wake_stalled(
        &self,
        namespace: &Namespace,
        app: &AppId,
        now: Timestamp,
    ) -> Result<usize, WorkflowStoreError>;

    /// Digests of the code that instances of an app need which have not ended, sorted.
    async fn codes(
        &self,
        namespace: &Namespace,
        app: &AppId,
    ) -> Result<Vec<String>, WorkflowStoreError>;

    /// Takes up to `limit` tasks of these apps that are visible, or whose claim has run out, in order of age. They stay
    /// with the host until `until`.
    async fn claim_tasks(
        &self,
        apps: &[(Namespace, AppId)],
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<ClaimedTask>, WorkflowStoreError>;

    /// Keeps claimed tasks for longer; gives those that are no longer this host's.
    async fn renew_tasks(
        &self,
        tasks: &[TaskId],
        until: Timestamp,
    ) -> Result<Vec<TaskId>, WorkflowStoreError>;

    /// Removes a task and puts its result into the inbox of the instance that waits for it, at once. `false`: the task
    /// is no longer this host's, and nothing happened.
    async fn finish_task(&self, task: &TaskId, result: Message)
    -> Result<bool, WorkflowStoreError>;

    /// Whether several hosts may use it at the same time.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether the engine answers.
    async fn ping(&self) -> Result<(), WorkflowStoreError>;
}
