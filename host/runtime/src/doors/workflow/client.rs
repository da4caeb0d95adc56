//! `berth:workflow/client`: starts workflows and looks after them.

use crate::{bindings::berth::workflow::client as wit, instance::GuestState};
use berth_blocks::{
    Workflows,
    workflow::{
        Conflict, InstanceKey, InstanceQuery, InstanceRow, InstanceView, RerunOptions, Reuse,
        StartOptions, Status, Timestamp, WorkflowError,
    },
};
use std::time::Duration;
use wit::{Error, Payload};

/// Instances of a page where the guest names no number.
const PAGE: usize = 100;
/// Most instances of a page.
const PAGE_MAX: u32 = 1_000;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl GuestState {
    fn workflows(&self) -> Workflows {
        self.blocks.workflows(&self.caller)
    }
}

/// Runs one call about one instance.
async fn about<T, F>(
    workflows: Workflows,
    target: wit::Target,
    call: impl FnOnce(Workflows, InstanceKey) -> F,
) -> Answer<T>
where
    F: Future<Output = Result<T, WorkflowError>>,
{
    Ok(
        match workflows.key(target.app_id.as_deref(), &target.instance_id) {
            Ok(key) => call(workflows, key).await.map_err(Into::into),
            Err(error) => Err(error.into()),
        },
    )
}

impl wit::Host for GuestState {
    async fn start(
        &mut self,
        workflow: String,
        input: Payload,
        options: wit::StartOptions,
    ) -> Answer<String> {
        let target = wit::Target {
            instance_id: id_or_new(options.instance_id.clone()),
            app_id: options.app_id.clone(),
        };
        about(self.workflows(), target, async move |workflows, key| {
            let started = workflows.start(&key, &workflow, input.into(), options.into());
            Ok(started.await?.row.key.id.to_string())
        })
        .await
    }

    async fn get(&mut self, target: wit::Target) -> Answer<Option<wit::Instance>> {
        about(self.workflows(), target, async |workflows, key| {
            Ok(workflows.get(&key).await?.map(whole))
        })
        .await
    }

    async fn wait(
        &mut self,
        target: wit::Target,
        timeout_ms: Option<u64>,
    ) -> Answer<wit::Instance> {
        let timeout = timeout_ms.map(Duration::from_millis);
        about(self.workflows(), target, async move |workflows, key| {
            Ok(whole(workflows.wait(&key, timeout).await?))
        })
        .await
    }

    async fn raise_event(
        &mut self,
        target: wit::Target,
        name: String,
        data: Payload,
        options: wit::EventOptions,
    ) -> Answer<()> {
        about(self.workflows(), target, async move |workflows, key| {
            workflows
                .raise_event(&key, &name, data.into(), options.event_id)
                .await
        })
        .await
    }

    async fn cancel(&mut self, target: wit::Target, reason: String) -> Answer<()> {
        about(self.workflows(), target, async move |workflows, key| {
            workflows.cancel(&key, &reason).await
        })
        .await
    }

    async fn suspend(&mut self, target: wit::Target, reason: String) -> Answer<()> {
        about(self.workflows(), target, async move |workflows, key| {
            workflows.suspend(&key, &reason).await
        })
        .await
    }

    async fn resume(&mut self, target: wit::Target, reason: String) -> Answer<()> {
        about(self.workflows(), target, async move |workflows, key| {
            workflows.resume(&key, &reason).await
        })
        .await
    }

    async fn terminate(
        &mut self,
        target: wit::Target,
        options: wit::TerminateOptions,
    ) -> Answer<()> {
        about(self.workflows(), target, async move |workflows, key| {
            workflows
                .terminate(&key, &options.reason, options.recursive)
                .await
        })
        .await
    }

    async fn purge(&mut self, target: wit::Target, options: wit::PurgeOptions) -> Answer<bool> {
        about(self.workflows(), target, async move |workflows, key| {
            workflows
                .purge(&key, options.force, options.recursive)
                .await
        })
        .await
    }

    async fn list_instances(&mut self, options: wit::ListOptions) -> Answer<wit::InstancePage> {
        let workflows = self.workflows();
        let query = match query(&workflows, options) {
            Ok(query) => query,
            Err(error) => return Ok(Err(error.into())),
        };
        let page = workflows.list(query).await;
        Ok(page.map_err(Into::into).map(|page| wit::InstancePage {
            instances: page.rows.into_iter().map(listed).collect(),
            next: page.next,
        }))
    }

    async fn rerun_from_event(
        &mut self,
        target: wit::Target,
        event: u64,
        options: wit::RerunOptions,
    ) -> Answer<String> {
        let id = id_or_new(options.new_instance_id);
        let input = options.input.map(Into::into);
        about(self.workflows(), target, async move |workflows, key| {
            let options = RerunOptions {
                input,
                ..RerunOptions::default()
            };
            let started = workflows.rerun(&key, event, &id, options).await?;
            Ok(started.row.key.id.to_string())
        })
        .await
    }
}

fn id_or_new(id: Option<String>) -> String {
    id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
}

fn query(workflows: &Workflows, options: wit::ListOptions) -> Result<InstanceQuery, WorkflowError> {
    let app = match &options.app_id {
        Some(_) => Some(workflows.app(options.app_id.as_deref())?),
        None => Some(workflows.app(None)?),
    };
    let limit = match options.limit {
        0 => PAGE,
        limit @ 1..=PAGE_MAX => limit as usize,
        limit => {
            let text = format!("a page of {limit} instances: the limit is {PAGE_MAX}");
            return Err(WorkflowError::Invalid(text));
        }
    };
    Ok(InstanceQuery {
        app,
        workflow: options.workflow,
        statuses: options.statuses.into_iter().map(Into::into).collect(),
        id_prefix: options.id_prefix,
        token: options.token,
        // The handle sets the caller's own.
        ..InstanceQuery::all(berth_resources::Namespace::default(), limit)
    })
}

fn whole(view: InstanceView) -> wit::Instance {
    let mut instance = listed(view.row);
    match view.outcome {
        Some(Ok(output)) => instance.output = Some(output.into()),
        Some(Err(failure)) => instance.failure = Some(failure.into()),
        None => {}
    }
    instance
}

fn listed(row: InstanceRow) -> wit::Instance {
    let (waiting_on, waiting_since) = match row.state.waiting {
        Some(waiting) => (Some(waiting.on), Some(waiting.since)),
        None => (None, None),
    };
    wit::Instance {
        instance_id: row.key.id.to_string(),
        app_id: row.key.app.to_string(),
        workflow: row.workflow,
        status: row.state.status.into(),
        custom_status: row.state.custom_status,
        waiting_on,
        waiting_since_ms: waiting_since.map(millis),
        problem: row.state.problem,
        output: None,
        failure: None,
        created_at_ms: millis(row.created_at),
        updated_at_ms: millis(row.updated_at),
        metadata: Vec::new(),
    }
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or(0)
}

impl From<wit::StartOptions> for StartOptions {
    fn from(options: wit::StartOptions) -> Self {
        let at = options.start_at_ms;
        Self {
            at: at.map(|at| Timestamp(i64::try_from(at).unwrap_or(i64::MAX))),
            reuse: match options.reuse {
                Some(wit::ReusePolicy::Never) => Reuse::Never,
                Some(wit::ReusePolicy::Failed) => Reuse::Failed,
                Some(wit::ReusePolicy::Ended) | None => Reuse::Ended,
            },
            conflict: match options.conflict {
                Some(wit::ConflictPolicy::UseExisting) => Conflict::UseExisting,
                Some(wit::ConflictPolicy::TerminateExisting) => Conflict::Terminate,
                Some(wit::ConflictPolicy::Fail) | None => Conflict::Fail,
            },
            traceparent: None,
        }
    }
}

macro_rules! statuses {
    ($($status:ident),*) => {
        impl From<Status> for wit::Status {
            fn from(status: Status) -> Self {
                match status { $(Status::$status => Self::$status),* }
            }
        }

        impl From<wit::Status> for Status {
            fn from(status: wit::Status) -> Self {
                match status { $(wit::Status::$status => Self::$status),* }
            }
        }
    };
}

statuses!(
    Pending, Running, Suspended, Stalled, Completed, Failed, Canceled, Terminated
);

impl From<WorkflowError> for Error {
    fn from(error: WorkflowError) -> Self {
        use WorkflowError as E;
        match error {
            E::NotFound(text) => Self::NotFound(text),
            E::Exists(text) => Self::Exists(text),
            E::Denied(text) => Self::Denied(text),
            E::Invalid(text) => Self::Invalid(text),
            E::NotAllowed(text) => Self::NotAllowed(text),
            E::TooLarge(text) => Self::TooLarge(text),
            E::Unavailable(text) => Self::Unavailable(text),
            E::Timeout(text) => Self::Timeout(text),
        }
    }
}
