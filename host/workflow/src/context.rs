//! What a workflow can do: the only way from its code to the world.

use crate::{
    ActivityOptions, Payload, RetryPolicy, WaitError,
    core::{Command, ContinueAsNew, Core, Random, WaitFor},
    limits::{CUSTOM_STATUS_BYTES_MAX, ID_BYTES_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX},
};
use berth_blocks::workflow::{InstanceKey, Timestamp};
use berth_resources::AppId;
use parking_lot::Mutex;
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};

/// Why a call of the context failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// The call is wrong; the same in every replay.
    #[error("{0}")]
    Invalid(String),
    /// Over a limit; the same in every replay.
    #[error("{0}")]
    TooLarge(String),
    /// The instance is being stopped: its code does not fit its history, or a limit was reached. The code must end at
    /// once (a guest traps); nothing that it still does is kept.
    #[error("the instance is being stopped")]
    Halted,
}

/// An operation that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u64);

/// A child to be started.
#[derive(Debug, Clone, Default)]
pub struct ChildOptions {
    /// Its instance ID; absent: made from the parent's run.
    pub id: Option<String>,
    /// Its app, in the namespace of the parent; absent: the parent's own.
    pub app: Option<String>,
    /// When another is started in the place of one that failed, under an ID of its own; absent: never.
    pub retry: Option<RetryPolicy>,
}

/// The context of a running workflow. Cheap to clone; of no use when the instance is gone.
#[derive(Debug, Clone)]
pub struct Context {
    core: Arc<Mutex<Core>>,
    /// Apps that this host serves in the namespace: their activities run inline.
    local: Arc<[AppId]>,
}

impl Context {
    pub(crate) fn new(core: Arc<Mutex<Core>>, local: Arc<[AppId]>) -> Self {
        Self { core, local }
    }

    /// The instance.
    #[must_use]
    pub fn key(&self) -> InstanceKey {
        self.core.lock().key.clone()
    }

    /// Name of the workflow.
    #[must_use]
    pub fn workflow(&self) -> String {
        self.core.lock().started.workflow.clone()
    }

    /// Time of the last delivery: the same in every replay.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.core.lock().now()
    }

    /// Whether the code is at a place that it has passed before.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.core.lock().is_replaying()
    }

    /// Random bytes: the same in every replay.
    ///
    /// # Errors
    /// More than 64 KiB at once.
    pub fn random(&self, count: usize) -> Result<Vec<u8>, ContextError> {
        if count > 64 << 10 {
            return Err(ContextError::TooLarge(format!(
                "{count} random bytes at once, the limit is 65536"
            )));
        }
        Ok(self.core.lock().random_bytes(count))
    }

    /// Randomness for what code does not ask of its context, such as the seeds of hash tables: the same in every replay,
    /// and apart from [`random`](Self::random), so that a change of either leaves the other as it is.
    #[must_use]
    pub fn system_random(&self) -> Random {
        self.core.lock().system_random()
    }

    /// A UUID (version 4): the same in every replay.
    #[must_use]
    pub fn uuid(&self) -> String {
        let bytes = self.core.lock().random_bytes(16);
        let bytes = bytes.try_into().unwrap_or([0; 16]);
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }

    /// A line for the host's log; left out while replaying.
    pub fn log(&self, level: tracing::Level, message: &str) {
        let core = self.core.lock();
        if core.is_replaying() {
            return;
        }
        let (app, instance) = (&core.key.app, &core.key.id);
        match level {
            tracing::Level::ERROR => tracing::error!(%app, %instance, "{message}"),
            tracing::Level::WARN => tracing::warn!(%app, %instance, "{message}"),
            tracing::Level::INFO => tracing::info!(%app, %instance, "{message}"),
            _ => tracing::debug!(%app, %instance, "{message}"),
        }
    }

    /// Shows a text beside the status of the instance.
    ///
    /// # Errors
    /// A text of more than 16 KiB.
    pub fn set_custom_status(&self, status: &str) -> Result<(), ContextError> {
        at_most("custom status", status.len(), CUSTOM_STATUS_BYTES_MAX)?;
        self.core.lock().custom_status = Some(status.to_owned());
        Ok(())
    }

    /// Whether code that was changed while instances were running takes the new path.
    ///
    /// # Errors
    /// An ID that is empty or too long; or the instance is being stopped.
    pub fn patched(&self, id: &str) -> Result<bool, ContextError> {
        check_name("patch", id)?;
        self.core
            .lock()
            .patched(id)
            .map_err(|_| ContextError::Halted)
    }

    /// Begins an activity.
    ///
    /// # Errors
    /// A bad name, option or input; or the instance is being stopped.
    pub fn schedule_activity(
        &self,
        name: &str,
        input: Payload,
        options: ActivityOptions,
    ) -> Result<Handle, ContextError> {
        check_name("activity", name)?;
        check_payload(&input)?;
        let target = check_app(options.app.as_deref())?;
        check_policy(&options.retry)?;
        let here = target.as_ref().is_none_or(|app| self.local.contains(app));
        let queued = !here || options.dispatch == crate::Dispatch::Queued;
        self.command(Command::Activity {
            name: name.to_owned(),
            input,
            options,
            queued,
        })
    }

    /// Begins a timer.
    ///
    /// # Errors
    /// The instance is being stopped.
    pub fn schedule_timer(&self, after: Duration) -> Result<Handle, ContextError> {
        let due = self.now().after(after);
        self.command(Command::Timer { due })
    }

    /// Begins to wait for an external event. One that came before and that nobody waited for ends the wait at once.
    ///
    /// # Errors
    /// A bad name; or the instance is being stopped.
    pub fn schedule_event(
        &self,
        name: &str,
        timeout: Option<Duration>,
    ) -> Result<Handle, ContextError> {
        check_name("event", name)?;
        let due = timeout.map(|timeout| self.now().after(timeout));
        self.command(Command::Event {
            name: name.to_owned(),
            due,
        })
    }

    /// Starts a child workflow.
    ///
    /// # Errors
    /// A bad name, ID or input; or the instance is being stopped.
    pub fn schedule_child(
        &self,
        name: &str,
        input: Payload,
        options: ChildOptions,
    ) -> Result<Handle, ContextError> {
        check_name("workflow", name)?;
        check_payload(&input)?;
        check_app(options.app.as_deref())?;
        options.retry.as_ref().map_or(Ok(()), check_policy)?;
        if let Some(id) = &options.id {
            check_id(id).map_err(ContextError::Invalid)?;
        }
        self.command(Command::Child {
            name: name.to_owned(),
            app: options.app,
            id: options.id,
            input,
            retry: options.retry.map(Box::new),
        })
    }

    /// Waits for an operation. Its result stays: it may be awaited again.
    ///
    /// # Errors
    /// The activity or child failed, the event did not come in time, or the workflow was canceled meanwhile.
    pub async fn wait(&self, handle: Handle) -> Result<Payload, WaitError> {
        self.until(WaitFor::Any(vec![handle.0])).await;
        let core = self.core.lock();
        core.outcome(handle.0).cloned().unwrap_or_else(|| {
            let unknown = crate::Failure::new("berth.invalid", "there is no such operation");
            Err(WaitError::Failed(unknown))
        })
    }

    /// Waits for the first of several operations that ends; gives its place in the list. If several have ended: the one
    /// that stands first. `None`: the list is empty.
    pub async fn wait_any(&self, handles: &[Handle]) -> Option<usize> {
        self.until(WaitFor::Any(
            handles.iter().map(|handle| handle.0).collect(),
        ))
        .await;
        let core = self.core.lock();
        (handles.iter()).position(|handle| core.outcome(handle.0).is_some())
    }

    /// Waits until all of them have ended, whether well or not.
    pub async fn wait_all(&self, handles: &[Handle]) {
        self.until(WaitFor::All(
            handles.iter().map(|handle| handle.0).collect(),
        ))
        .await;
    }

    /// The value of a call that waits, unless the instance is stopped meanwhile: for code that can then say where it
    /// stands, as a guest does by a trap. Other code waits for ever and is dropped.
    ///
    /// # Errors
    /// The instance is being stopped.
    pub async fn unless_halted<T>(
        &self,
        waiting: impl Future<Output = T>,
    ) -> Result<T, ContextError> {
        let mut waiting = pin!(waiting);
        poll_fn(|cx| match waiting.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending if self.core.lock().poll_halt(cx.waker()) => {
                Poll::Ready(Err(ContextError::Halted))
            }
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Whether an operation has ended, as far as the code has been given anything: it does not wait.
    #[must_use]
    pub fn has_ended(&self, handle: Handle) -> bool {
        self.core.lock().outcome(handle.0).is_some()
    }

    /// The run ends when the code returns, and whatever it returns, the instance begins anew with this input and an
    /// empty history.
    ///
    /// # Errors
    /// An input over the limit.
    pub fn continue_as_new(&self, input: Payload, keep_events: bool) -> Result<(), ContextError> {
        check_payload(&input)?;
        self.core.lock().continue_as_new = Some(ContinueAsNew { input, keep_events });
        Ok(())
    }

    fn command(&self, command: Command) -> Result<Handle, ContextError> {
        let seq = self.core.lock().command(command);
        seq.map(Handle).map_err(|_| ContextError::Halted)
    }

    fn until(&self, wait: WaitFor) -> Until<'_> {
        Until {
            core: &self.core,
            wait,
            id: None,
        }
    }
}

/// Ends when what is waited for has come. Never, when the instance is being stopped.
struct Until<'c> {
    core: &'c Mutex<Core>,
    wait: WaitFor,
    id: Option<u64>,
}

impl Future for Until<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut core = this.core.lock();
        if core.poll_wait(&mut this.id, &this.wait, cx.waker()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Until<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.core.lock().forget_wait(id);
        }
    }
}

/// Whether a text may be an instance ID.
pub(crate) fn check_id(id: &str) -> Result<(), String> {
    let allowed = |c: char| !c.is_control() && c != '|';
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.chars().all(allowed) {
        return Err(format!(
            "instance ID {id:?}: expected 1 to {ID_BYTES_MAX} bytes without `|` and control characters"
        ));
    }
    Ok(())
}

fn check_name(what: &str, name: &str) -> Result<(), ContextError> {
    if name.is_empty() {
        return Err(ContextError::Invalid(format!(
            "the name of the {what} is empty"
        )));
    }
    at_most(&format!("name of the {what}"), name.len(), NAME_BYTES_MAX)
}

/// What JSON cannot hold could not be read again.
fn check_policy(policy: &RetryPolicy) -> Result<(), ContextError> {
    if policy.backoff.is_finite() {
        return Ok(());
    }
    let text = "the backoff of a retry policy is not a finite number";
    Err(ContextError::Invalid(text.to_owned()))
}

fn check_app(app: Option<&str>) -> Result<Option<AppId>, ContextError> {
    let parsed = app.map(str::parse).transpose();
    parsed.map_err(|error: berth_resources::InvalidName| ContextError::Invalid(error.to_string()))
}

fn check_payload(payload: &Payload) -> Result<(), ContextError> {
    at_most("payload", payload.data.len(), PAYLOAD_BYTES_MAX)
}

fn at_most(what: &str, bytes: usize, max: usize) -> Result<(), ContextError> {
    if bytes > max {
        return Err(ContextError::TooLarge(format!(
            "the {what} has {bytes} bytes, the limit is {max}"
        )));
    }
    Ok(())
}
