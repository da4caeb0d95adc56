//! What a workflow waits for: activities, children, events, timers.

use super::{Dispatch, Error, Failure, RetryPolicy, context::read, retry::milliseconds};
use crate::bindings::imports::berth::workflow::{context as wit, types::Payload};
use serde::de::DeserializeOwned;
use std::{marker::PhantomData, time::Duration};

/// Something that was begun and ends some time later. Dropping it does not stop it.
pub struct Operation<O>(wit::Operation, PhantomData<fn() -> O>);

/// Anything that [`Context::wait_any`](super::Context::wait_any) can wait for.
pub trait Pending {
    #[doc(hidden)]
    fn operation(&self) -> &wit::Operation;
}

impl<O> Pending for Operation<O> {
    fn operation(&self) -> &wit::Operation {
        &self.0
    }
}

impl<O: DeserializeOwned> Operation<O> {
    pub(super) fn new(operation: wit::Operation) -> Self {
        Self(operation, PhantomData)
    }

    /// Waits for the end and gives the result. It stays, and may be asked for again.
    ///
    /// # Errors
    /// What was begun failed, or the workflow was asked to cancel.
    pub fn wait(&self) -> Result<O, Error> {
        read(&self.0.wait()?)
    }

    /// Whether it has ended, as far as this workflow has waited.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.has_ended()
    }
}

/// An activity that has not been begun.
#[must_use = "an activity runs when it is called or begun"]
pub struct ActivityCall<O> {
    name: &'static str,
    input: Result<Payload, Failure>,
    options: wit::ActivityOptions,
    output: PhantomData<fn() -> O>,
}

impl<O: DeserializeOwned> ActivityCall<O> {
    pub(super) fn new(name: &'static str, input: Result<Payload, Failure>) -> Self {
        let options = wit::ActivityOptions {
            retry: None,
            start_to_close_ms: None,
            app_id: None,
            dispatch: None,
            record_intent: false,
            metadata: Vec::new(),
        };
        Self {
            name,
            input,
            options,
            output: PhantomData,
        }
    }

    /// When it is attempted again. Without: three attempts.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.options.retry = Some(policy);
        self
    }

    /// Longest time of one attempt, in whole milliseconds. Without: what the activity's app allows.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.options.start_to_close_ms = Some(milliseconds(time));
        self
    }

    /// The app that has the activity. Without: this app.
    pub fn app(mut self, app_id: impl Into<String>) -> Self {
        self.options.app_id = Some(app_id.into());
        self
    }

    /// Through a durable queue, on whichever host has the activity's app.
    pub fn queued(mut self) -> Self {
        self.options.dispatch = Some(Dispatch::Queued);
        self
    }

    /// Records each attempt before it begins, for effects that must not be repeated without notice: if the host ends
    /// meanwhile, the attempt counts as failed, with the kind `berth.lost`.
    pub fn record_intent(mut self) -> Self {
        self.options.record_intent = true;
        self
    }

    /// Runs it and waits for its result.
    ///
    /// # Errors
    /// It failed, all attempts made; or the workflow was asked to cancel.
    pub fn call(self) -> Result<O, Error> {
        let input = self.input.map_err(Error::Failed)?;
        read(&wit::call_activity(self.name, &input, &self.options)?)
    }

    /// Begins it. Those that are begun before the first is waited for run side by side.
    ///
    /// # Errors
    /// The workflow was asked to cancel, or the input is too large.
    pub fn begin(self) -> Result<Operation<O>, Error> {
        let input = self.input.map_err(Error::Failed)?;
        wit::schedule_activity(self.name, &input, &self.options).map(Operation::new)
    }
}

/// A child that has not been started.
#[must_use = "a child runs when it is called or begun"]
pub struct ChildCall<O> {
    name: &'static str,
    input: Result<Payload, Failure>,
    options: wit::ChildOptions,
    output: PhantomData<fn() -> O>,
}

impl<O: DeserializeOwned> ChildCall<O> {
    pub(super) fn new(name: &'static str, input: Result<Payload, Failure>) -> Self {
        let options = wit::ChildOptions {
            instance_id: None,
            app_id: None,
            retry: None,
            metadata: Vec::new(),
        };
        Self {
            name,
            input,
            options,
            output: PhantomData,
        }
    }

    /// Its instance ID. Without: made from this run.
    pub fn id(mut self, instance_id: impl Into<String>) -> Self {
        self.options.instance_id = Some(instance_id.into());
        self
    }

    /// The app that has the workflow. Without: this app.
    pub fn app(mut self, app_id: impl Into<String>) -> Self {
        self.options.app_id = Some(app_id.into());
        self
    }

    /// When another one is started in the place of one that failed. Without: never.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.options.retry = Some(policy);
        self
    }

    /// Starts it and waits for its result.
    ///
    /// # Errors
    /// It failed or was ended from outside; or this workflow was asked to cancel.
    pub fn call(self) -> Result<O, Error> {
        let input = self.input.map_err(Error::Failed)?;
        read(&wit::call_child(self.name, &input, &self.options)?)
    }

    /// Starts it.
    ///
    /// # Errors
    /// As [`ActivityCall::begin`].
    pub fn begin(self) -> Result<Operation<O>, Error> {
        let input = self.input.map_err(Error::Failed)?;
        wit::schedule_child(self.name, &input, &self.options).map(Operation::new)
    }
}

/// An event that has not been waited for. Events of one name are handed out in the order in which they came, also those that
/// came before; names are equal if they differ in case only.
#[must_use = "an event is taken when it is waited for"]
pub struct EventWait<T> {
    name: String,
    timeout: Option<Duration>,
    data: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> EventWait<T> {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            timeout: None,
            data: PhantomData,
        }
    }

    /// How long it may take, in whole milliseconds. Without: any time.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Waits for it.
    ///
    /// # Errors
    /// [`Error::Timeout`]; or the workflow was asked to cancel.
    pub fn wait(self) -> Result<T, Error> {
        read(&wit::wait_event(&self.name, &self.options())?)
    }

    /// Begins to wait.
    ///
    /// # Errors
    /// As [`ActivityCall::begin`].
    pub fn begin(self) -> Result<Operation<T>, Error> {
        wit::schedule_event(&self.name, &self.options()).map(Operation::new)
    }

    fn options(&self) -> wit::EventOptions {
        wit::EventOptions {
            timeout_ms: self.timeout.map(milliseconds),
            metadata: Vec::new(),
        }
    }
}
