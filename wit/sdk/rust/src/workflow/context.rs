//! What a workflow can do.

use super::{
    Activity, ActivityCall, ChildCall, Error, EventWait, Failure, Operation, Pending, Workflow,
    payload, retry::milliseconds,
};
use crate::bindings::imports::berth::workflow::context as wit;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// What a workflow can do. All that it is told is the same in every replay.
pub struct Context(());

impl Context {
    pub(super) fn new() -> Self {
        Self(())
    }

    /// The ID of this instance.
    #[must_use]
    pub fn instance_id(&self) -> String {
        wit::instance_id()
    }

    /// Runs an activity and waits for its result: up to three attempts, unless [`Context::activity`] says otherwise.
    ///
    /// # Errors
    /// It failed, all attempts made; or the workflow was asked to cancel.
    pub fn call<I: Serialize, O: DeserializeOwned>(
        &self,
        activity: Activity<I, O>,
        input: &I,
    ) -> Result<O, Error> {
        self.activity(activity, input).call()
    }

    /// An activity with settings; see [`ActivityCall`].
    pub fn activity<I: Serialize, O: DeserializeOwned>(
        &self,
        activity: Activity<I, O>,
        input: &I,
    ) -> ActivityCall<O> {
        ActivityCall::new(activity.name(), payload(input))
    }

    /// Another workflow as a child of this one; see [`ChildCall`].
    pub fn child<I: Serialize, O: DeserializeOwned>(
        &self,
        workflow: Workflow<I, O>,
        input: &I,
    ) -> ChildCall<O> {
        ChildCall::new(workflow.name(), payload(input))
    }

    /// An event from outside; see [`EventWait`].
    pub fn event<T: DeserializeOwned>(&self, name: impl Into<String>) -> EventWait<T> {
        EventWait::new(name.into())
    }

    /// Waits, in whole milliseconds. No host need run meanwhile.
    ///
    /// # Errors
    /// The workflow was asked to cancel.
    pub fn sleep(&self, time: Duration) -> Result<(), Error> {
        wit::sleep(milliseconds(time))
    }

    /// Begins a timer, to be waited for beside other things.
    ///
    /// # Errors
    /// The workflow was asked to cancel.
    pub fn timer(&self, time: Duration) -> Result<Operation<()>, Error> {
        wit::schedule_timer(milliseconds(time)).map(Operation::new)
    }

    /// Waits for the first that ends and gives its place in the list.
    ///
    /// # Errors
    /// The list is empty, or the workflow was asked to cancel.
    pub fn wait_any(&self, pending: &[&dyn Pending]) -> Result<usize, Error> {
        let operations: Vec<_> = pending.iter().map(|one| one.operation()).collect();
        wit::wait_any(&operations).map(|place| place as usize)
    }

    /// Waits until all have ended, well or not.
    ///
    /// # Errors
    /// The workflow was asked to cancel.
    pub fn wait_all(&self, pending: &[&dyn Pending]) -> Result<(), Error> {
        let operations: Vec<_> = pending.iter().map(|one| one.operation()).collect();
        wit::wait_all(&operations)
    }

    /// When the workflow returns, whatever it returns, it begins again with this input and an empty history. Events that
    /// nobody has waited for are kept.
    ///
    /// # Errors
    /// The input is too large, or no JSON.
    pub fn continue_as_new(&self, input: &impl Serialize) -> Result<(), Error> {
        let options = wit::ContinueOptions {
            keep_events: true,
            metadata: Vec::new(),
        };
        wit::continue_as_new(&payload(input).map_err(Error::Failed)?, &options)
    }

    /// Time of the last thing that this workflow was given.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(wit::now_ms())
    }

    /// Random bytes.
    ///
    /// # Errors
    /// More than 65,536.
    pub fn random(&self, count: u32) -> Result<Vec<u8>, Error> {
        wit::random(count)
    }

    /// A UUID (version 4).
    #[must_use]
    pub fn uuid(&self) -> String {
        wit::uuid()
    }

    /// Shows a text beside the status of the instance. One that is longer than the host allows is not shown.
    pub fn set_status(&self, text: impl AsRef<str>) {
        let _ = wit::set_custom_status(text.as_ref());
    }

    /// Whether code that was changed while instances were running takes the new path. An instance that had passed this place
    /// before the change keeps the old one.
    ///
    /// # Errors
    /// The ID is empty or too long.
    pub fn patched(&self, id: &str) -> Result<bool, Error> {
        wit::patched(id)
    }

    /// Whether this place was passed before.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        wit::is_replaying()
    }

    /// A line for the host's log; left out while replaying.
    pub fn info(&self, message: impl fmt::Display) {
        wit::log(wit::Level::Info, &message.to_string());
    }

    /// A warning for the host's log; left out while replaying.
    pub fn warn(&self, message: impl fmt::Display) {
        wit::log(wit::Level::Warn, &message.to_string());
    }
}

/// What is no value of its type is a failure of kind `malformed`.
pub(super) fn read<T: DeserializeOwned>(
    payload: &crate::bindings::imports::berth::workflow::types::Payload,
) -> Result<T, Error> {
    super::value(payload).map_err(|failure: Failure| Error::Failed(failure))
}
