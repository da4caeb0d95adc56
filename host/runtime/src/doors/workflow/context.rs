//! `berth:workflow/context`: what a workflow can do.

use crate::{bindings::berth::workflow::context as wit, instance::GuestState};
use berth_blocks::workflow::Failure;
use berth_workflow::{
    ActivityOptions, ChildOptions, Context, ContextError, Dispatch, Handle, RetryPolicy, WaitError,
};
use std::time::Duration;
use wasmtime::component::Resource;
use wit::{Error, Payload};

/// An operation that was begun.
pub struct Operation(Handle);

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl GuestState {
    fn context(&self) -> wasmtime::Result<Context> {
        self.workflow.clone().ok_or_else(|| {
            wasmtime::Error::msg(
                "berth:workflow/context was called by something else than a workflow",
            )
        })
    }

    /// The code waits from here on: what it computes afterwards is bounded anew.
    fn waits(&mut self) -> wasmtime::Result<Context> {
        self.meter.restart();
        self.context()
    }

    fn begun(&mut self, begun: Result<Handle, ContextError>) -> Answer<Resource<Operation>> {
        match told(begun)? {
            Ok(handle) => Ok(Ok(self.table.push(Operation(handle))?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn until(&mut self, begun: Result<Handle, ContextError>) -> Answer<Payload> {
        let context = self.waits()?;
        Ok(match told(begun)? {
            Ok(handle) => result(waited(&context, context.wait(handle)).await?),
            Err(error) => Err(error),
        })
    }

    fn handles(&self, operations: &[Resource<Operation>]) -> wasmtime::Result<Vec<Handle>> {
        let handles = operations.iter().map(|operation| self.table.get(operation));
        let handles: Result<Vec<_>, _> = handles.map(|found| found.map(|own| own.0)).collect();
        Ok(handles?)
    }
}

/// Waits; a trap if the instance is stopped meanwhile.
async fn waited<T>(context: &Context, waiting: impl Future<Output = T>) -> wasmtime::Result<T> {
    let waited = context.unless_halted(waiting).await;
    waited.map_err(wasmtime::Error::msg)
}

/// An error of the context as the guest sees it; one that stops the instance is a trap.
fn told<T>(answer: Result<T, ContextError>) -> Answer<T> {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(ContextError::Invalid(text)) => Ok(Err(Error::Invalid(text))),
        Err(ContextError::TooLarge(text)) => Ok(Err(Error::TooLarge(text))),
        Err(ContextError::Halted) => Err(wasmtime::Error::msg(ContextError::Halted)),
    }
}

fn result(waited: Result<berth_workflow::Payload, WaitError>) -> Result<Payload, Error> {
    waited.map(Into::into).map_err(|error| match error {
        WaitError::Failed(failure) => Error::Failed(failure.into()),
        WaitError::TimedOut(text) => Error::Timeout(text),
        WaitError::Canceled(text) => Error::Canceled(text),
    })
}

impl wit::HostOperation for GuestState {
    async fn wait(&mut self, own: Resource<Operation>) -> Answer<Payload> {
        let handle = self.table.get(&own)?.0;
        self.until(Ok(handle)).await
    }

    async fn has_ended(&mut self, own: Resource<Operation>) -> wasmtime::Result<bool> {
        let handle = self.table.get(&own)?.0;
        Ok(self.context()?.has_ended(handle))
    }

    async fn drop(&mut self, own: Resource<Operation>) -> wasmtime::Result<()> {
        self.table.delete(own)?;
        Ok(())
    }
}

impl wit::Host for GuestState {
    async fn instance_id(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.key().id.to_string())
    }

    async fn schedule_activity(
        &mut self,
        name: String,
        input: Payload,
        options: wit::ActivityOptions,
    ) -> Answer<Resource<Operation>> {
        let context = self.context()?;
        let begun = context.schedule_activity(&name, input.into(), options.into());
        self.begun(begun)
    }

    async fn call_activity(
        &mut self,
        name: String,
        input: Payload,
        options: wit::ActivityOptions,
    ) -> Answer<Payload> {
        let context = self.context()?;
        let begun = context.schedule_activity(&name, input.into(), options.into());
        self.until(begun).await
    }

    async fn schedule_timer(&mut self, duration_ms: u64) -> Answer<Resource<Operation>> {
        let begun = self
            .context()?
            .schedule_timer(Duration::from_millis(duration_ms));
        self.begun(begun)
    }

    async fn sleep(&mut self, duration_ms: u64) -> Answer<()> {
        let begun = self
            .context()?
            .schedule_timer(Duration::from_millis(duration_ms));
        Ok(self.until(begun).await?.map(drop))
    }

    async fn schedule_event(
        &mut self,
        name: String,
        options: wit::EventOptions,
    ) -> Answer<Resource<Operation>> {
        let begun = self.context()?.schedule_event(&name, timeout(&options));
        self.begun(begun)
    }

    async fn wait_event(&mut self, name: String, options: wit::EventOptions) -> Answer<Payload> {
        let begun = self.context()?.schedule_event(&name, timeout(&options));
        self.until(begun).await
    }

    async fn schedule_child(
        &mut self,
        name: String,
        input: Payload,
        options: wit::ChildOptions,
    ) -> Answer<Resource<Operation>> {
        let context = self.context()?;
        let begun = context.schedule_child(&name, input.into(), options.into());
        self.begun(begun)
    }

    async fn call_child(
        &mut self,
        name: String,
        input: Payload,
        options: wit::ChildOptions,
    ) -> Answer<Payload> {
        let context = self.context()?;
        let begun = context.schedule_child(&name, input.into(), options.into());
        self.until(begun).await
    }

    async fn wait_any(&mut self, operations: Vec<Resource<Operation>>) -> Answer<u32> {
        let handles = self.handles(&operations)?;
        let context = self.waits()?;
        let first = waited(&context, context.wait_any(&handles)).await?;
        let first = first.and_then(|place| u32::try_from(place).ok());
        Ok(first.ok_or_else(|| Error::Invalid("there is nothing to wait for".to_owned())))
    }

    async fn wait_all(&mut self, operations: Vec<Resource<Operation>>) -> Answer<()> {
        let handles = self.handles(&operations)?;
        let context = self.waits()?;
        waited(&context, context.wait_all(&handles)).await?;
        Ok(Ok(()))
    }

    async fn continue_as_new(
        &mut self,
        input: Payload,
        options: wit::ContinueOptions,
    ) -> Answer<()> {
        told(
            self.context()?
                .continue_as_new(input.into(), options.keep_events),
        )
    }

    async fn now_ms(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from(self.context()?.now().0).unwrap_or(0))
    }

    async fn random(&mut self, count: u32) -> Answer<Vec<u8>> {
        told(self.context()?.random(count as usize))
    }

    async fn uuid(&mut self) -> wasmtime::Result<String> {
        Ok(self.context()?.uuid())
    }

    async fn set_custom_status(&mut self, status: String) -> Answer<()> {
        told(self.context()?.set_custom_status(&status))
    }

    async fn patched(&mut self, id: String) -> Answer<bool> {
        told(self.context()?.patched(&id))
    }

    async fn is_replaying(&mut self) -> wasmtime::Result<bool> {
        Ok(self.context()?.is_replaying())
    }

    async fn log(&mut self, level: wit::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            wit::Level::Debug => tracing::Level::DEBUG,
            wit::Level::Info => tracing::Level::INFO,
            wit::Level::Warn => tracing::Level::WARN,
            wit::Level::Error => tracing::Level::ERROR,
        };
        let context = self.context()?;
        if context.is_replaying() || !self.app.log_budget.take(message.len() + 1) {
            return Ok(());
        }
        context.log(level, &message);
        Ok(())
    }
}

fn timeout(options: &wit::EventOptions) -> Option<Duration> {
    options.timeout_ms.map(Duration::from_millis)
}

impl From<wit::RetryPolicy> for RetryPolicy {
    /// 0 stands for the default.
    fn from(policy: wit::RetryPolicy) -> Self {
        let usual = Self::default();
        Self {
            max_attempts: match policy.max_attempts {
                0 => usual.max_attempts,
                attempts => attempts,
            },
            first_interval: match policy.first_interval_ms {
                0 => usual.first_interval,
                millis => Duration::from_millis(millis),
            },
            backoff: if policy.backoff == 0.0 {
                usual.backoff
            } else {
                policy.backoff
            },
            max_interval: policy.max_interval_ms.map(Duration::from_millis),
            total_timeout: policy.total_timeout_ms.map(Duration::from_millis),
            non_retryable: policy.non_retryable,
        }
    }
}

impl From<wit::ActivityOptions> for ActivityOptions {
    fn from(options: wit::ActivityOptions) -> Self {
        Self {
            retry: options.retry.map(Into::into).unwrap_or_default(),
            start_to_close: options.start_to_close_ms.map(Duration::from_millis),
            app: options.app_id,
            dispatch: match options.dispatch {
                Some(wit::Dispatch::Queued) => Dispatch::Queued,
                Some(wit::Dispatch::Local) | None => Dispatch::Inline,
            },
            record_intent: options.record_intent,
        }
    }
}

impl From<wit::ChildOptions> for ChildOptions {
    fn from(options: wit::ChildOptions) -> Self {
        Self {
            id: options.instance_id,
            app: options.app_id,
            retry: options.retry.map(Into::into),
        }
    }
}

/// Bindings name the type once for each interface that uses it.
const _: fn(Failure) -> wit::Failure = Into::into;
