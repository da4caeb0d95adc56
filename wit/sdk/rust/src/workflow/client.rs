//! Starts workflows and looks after them, from anywhere but a workflow.

use super::{ConflictPolicy, Failure, ReusePolicy, Status, Workflow};
use crate::{
    Error, Kind, Result,
    bindings::imports::berth::workflow::{client as wit, types::Payload},
    json,
};
use serde::{Serialize, de::DeserializeOwned};
use std::time::{Duration, SystemTime};

pub use wit::{Instance as State, ListOptions};

impl<I: Serialize, O> Workflow<I, O> {
    /// A start of this workflow, which [`Start::send`] makes happen.
    pub fn start(self, input: &I) -> Start {
        let options = wit::StartOptions {
            instance_id: None,
            app_id: None,
            start_at_ms: None,
            reuse: None,
            conflict: None,
            metadata: Vec::new(),
        };
        Start {
            workflow: self.name(),
            input: payload(input),
            options,
        }
    }
}

/// A workflow that has not been started.
#[must_use = "it starts when it is sent"]
pub struct Start {
    workflow: &'static str,
    input: Result<Payload>,
    options: wit::StartOptions,
}

impl Start {
    /// Its instance ID. Without: a UUID.
    pub fn id(mut self, instance_id: impl Into<String>) -> Self {
        self.options.instance_id = Some(instance_id.into());
        self
    }

    /// The app that has the workflow. Without: this app.
    pub fn app(mut self, app_id: impl Into<String>) -> Self {
        self.options.app_id = Some(app_id.into());
        self
    }

    /// When it first runs. Without: now.
    pub fn at(mut self, time: SystemTime) -> Self {
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        self.options.start_at_ms = Some(super::retry::milliseconds(since));
        self
    }

    /// Whether the ID of an instance that has ended may be used again. Without: it may.
    pub fn reuse(mut self, policy: ReusePolicy) -> Self {
        self.options.reuse = Some(policy);
        self
    }

    /// What happens when the ID belongs to an instance that may not be replaced. Without: [`Kind::Exists`].
    pub fn conflict(mut self, policy: ConflictPolicy) -> Self {
        self.options.conflict = Some(policy);
        self
    }

    /// One instance for one ID, for ever: whoever does not know whether a start went through may repeat it.
    pub fn once(self, instance_id: impl Into<String>) -> Self {
        self.id(instance_id)
            .reuse(ReusePolicy::Never)
            .conflict(ConflictPolicy::UseExisting)
    }

    /// Starts it. When this returns, the instance is stored and will run.
    ///
    /// # Errors
    /// It is not, or nobody knows ([`Kind::Unavailable`], [`Kind::Timeout`]).
    pub fn send(self) -> Result<Instance> {
        let app_id = self.options.app_id.clone();
        let instance_id = wit::start(self.workflow, &self.input?, &self.options)?;
        Ok(Instance(wit::Target {
            instance_id,
            app_id,
        }))
    }
}

/// An instance, by its ID.
#[derive(Debug, Clone)]
pub struct Instance(wit::Target);

impl Instance {
    /// One of this app.
    pub fn of(instance_id: impl Into<String>) -> Self {
        Self(wit::Target {
            instance_id: instance_id.into(),
            app_id: None,
        })
    }

    /// One of another app of this namespace.
    #[must_use]
    pub fn in_app(mut self, app_id: impl Into<String>) -> Self {
        self.0.app_id = Some(app_id.into());
        self
    }

    /// Its ID.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.instance_id
    }

    /// How far it has come, or nothing if there is none.
    ///
    /// # Errors
    /// The store fails.
    pub fn state(&self) -> Result<Option<State>> {
        Ok(wit::get(&self.0)?)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// [`Kind::Timeout`]: it has not by then. [`Kind::NotFound`], or the store fails.
    pub fn wait(&self, timeout: Duration) -> Result<State> {
        Ok(wit::wait(
            &self.0,
            Some(super::retry::milliseconds(timeout)),
        )?)
    }

    /// Sends it an event. It waits if the workflow does not; one to an instance that has ended is dropped.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the store fails.
    pub fn raise(&self, event: &str, data: &(impl Serialize + ?Sized)) -> Result<()> {
        self.raise_event(event, data, None)
    }

    /// Sends it an event with an ID: a second one of the same ID is dropped, so that it may be sent again.
    ///
    /// # Errors
    /// As [`Instance::raise`].
    pub fn raise_once(
        &self,
        event_id: impl Into<String>,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<()> {
        self.raise_event(event, data, Some(event_id.into()))
    }

    fn raise_event(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
        event_id: Option<String>,
    ) -> Result<()> {
        let options = wit::EventOptions {
            event_id,
            metadata: Vec::new(),
        };
        Ok(wit::raise_event(&self.0, event, &payload(data)?, &options)?)
    }

    /// Asks it to cancel: what it waits for ends with `canceled`, what it begins after that works.
    ///
    /// # Errors
    /// As [`Instance::raise`].
    pub fn cancel(&self, reason: &str) -> Result<()> {
        Ok(wit::cancel(&self.0, reason)?)
    }

    /// Lets nothing more happen until it is resumed.
    ///
    /// # Errors
    /// As [`Instance::raise`], and [`Kind::NotAllowed`].
    pub fn suspend(&self, reason: &str) -> Result<()> {
        Ok(wit::suspend(&self.0, reason)?)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// As [`Instance::suspend`].
    pub fn resume(&self, reason: &str) -> Result<()> {
        Ok(wit::resume(&self.0, reason)?)
    }

    /// Ends it at once, with its children.
    ///
    /// # Errors
    /// As [`Instance::suspend`].
    pub fn terminate(&self, reason: &str) -> Result<()> {
        let options = wit::TerminateOptions {
            reason: reason.to_owned(),
            recursive: true,
            metadata: Vec::new(),
        };
        Ok(wit::terminate(&self.0, &options)?)
    }

    /// Removes it with its children, after it has ended. False: there was none.
    ///
    /// # Errors
    /// [`Kind::NotAllowed`]: it runs. Or the store fails.
    pub fn purge(&self) -> Result<bool> {
        let options = wit::PurgeOptions {
            force: false,
            recursive: true,
            metadata: Vec::new(),
        };
        Ok(wit::purge(&self.0, &options)?)
    }

    /// Starts a new instance with its history up to this event, which is run again.
    ///
    /// # Errors
    /// [`Kind::Invalid`]: the event cannot be run again. Or the store fails.
    pub fn rerun_from(&self, event: u64) -> Result<Self> {
        let options = wit::RerunOptions {
            new_instance_id: None,
            input: None,
            metadata: Vec::new(),
        };
        let instance_id = wit::rerun_from_event(&self.0, event, &options)?;
        Ok(Self(wit::Target {
            instance_id,
            app_id: self.0.app_id.clone(),
        }))
    }
}

impl State {
    /// What it gave, as JSON.
    ///
    /// # Errors
    /// [`Kind::Other`]: it has not completed; the message says why. [`Kind::Malformed`]: it gave something else.
    pub fn read_output<T: DeserializeOwned>(&self) -> Result<T> {
        let of = format!("the output of {}", self.instance_id);
        match (&self.output, &self.failure) {
            (Some(output), _) => json::read(of, &output.data),
            (None, Some(Failure { kind, message, .. })) => Err(Error::new(
                Kind::Other,
                format!("{} failed: {kind}: {message}", self.instance_id),
            )),
            (None, None) => Err(Error::new(
                Kind::Other,
                format!("{} is {}", self.instance_id, self.status),
            )),
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Stalled => "stalled",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Terminated => "terminated",
        })
    }
}

/// Every instance of this app.
impl Default for ListOptions {
    fn default() -> Self {
        Self {
            app_id: None,
            workflow: None,
            statuses: Vec::new(),
            id_prefix: String::new(),
            limit: 0,
            token: None,
            metadata: Vec::new(),
        }
    }
}

/// Instances that match, newest first and without outputs, and the token of the page that follows.
///
/// # Errors
/// The store fails.
pub fn list(options: &ListOptions) -> Result<(Vec<State>, Option<String>)> {
    let page = wit::list_instances(options)?;
    Ok((page.instances, page.next))
}

fn payload(value: &(impl Serialize + ?Sized)) -> Result<Payload> {
    Ok(Payload {
        data: json::write("a payload", value)?,
        content_type: Some(json::MEDIA_TYPE.to_owned()),
    })
}
