//! A loaded guest: its instances, fresh or used again, and the calls into them.

use crate::{
    app::AppContext,
    exports::{ExportIndices, Handle, HttpExport},
    failure::Failure,
    instance::{self, GuestState},
    meter::{CpuTimeUsed, Refused},
    resident::Resident,
    workflow::Registered,
};
use berth_blocks::{Blocks, Caller};
use berth_workflow::Context;
use parking_lot::Mutex;
use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use wasmtime::{
    PoolConcurrencyLimitError, Store, Trap,
    component::{Instance, InstancePre},
};

/// A guest of one app, ready to be called.
pub(crate) struct Guest {
    pub(crate) context: Arc<AppContext>,
    pub(crate) exports: ExportIndices,
    /// Names of workflows and activities, once the guest was asked.
    pub(crate) registered: OnceLock<Registered>,
    pre: InstancePre<GuestState>,
    /// Linked for its workflows, if it has any.
    workflow_pre: Option<InstancePre<GuestState>>,
    /// Instances that may serve again (`instances.reuse`), the most recent last: it is the warmest.
    idle: Mutex<Vec<(Instant, Ready)>>,
    resident: Resident,
}

/// An instance and its store.
pub(crate) struct Ready {
    pub(crate) store: Store<GuestState>,
    pub(crate) instance: Instance,
    /// The HTTP export, once it has been looked up.
    pub(crate) http: Option<Handle>,
    served: u32,
}

/// A store before its instance exists: instantiation is part of the call and of its limits.
pub(crate) enum Prepared {
    Fresh(Store<GuestState>),
    Used(Ready),
}

impl Guest {
    /// `image` is part of the name of the compiled form's file. `workflow_pre` makes the instances of workflows; asked for
    /// where there are any.
    pub(crate) fn new(
        context: Arc<AppContext>,
        image: String,
        pre: InstancePre<GuestState>,
        workflow_pre: impl FnOnce() -> anyhow::Result<InstancePre<GuestState>>,
    ) -> anyhow::Result<Self> {
        let exports = ExportIndices::of(&pre, context.app.instances.reuse > 1);
        let has_workflows = exports.workflows.is_some();
        Ok(Self {
            context,
            exports,
            registered: OnceLock::new(),
            workflow_pre: has_workflows.then(workflow_pre).transpose()?,
            pre,
            idle: Mutex::new(Vec::new()),
            resident: Resident::new(image),
        })
    }

    /// A store for one call: of an idle instance if there is one.
    pub(crate) fn prepare(&self, caller: Arc<Caller>) -> Result<Prepared, Failure> {
        if let Some((_, mut ready)) = self.idle.lock().pop() {
            ready.store.data_mut().serve(caller);
            return Ok(Prepared::Used(ready));
        }
        self.prepare_alone(caller, self.context.blocks.clone())
    }

    /// A fresh store whose imports reach these blocks. Its instance must not serve again.
    pub(crate) fn prepare_alone(
        &self,
        caller: Arc<Caller>,
        blocks: Blocks,
    ) -> Result<Prepared, Failure> {
        let store = instance::store(self.pre.engine(), &self.context, caller, blocks)
            .map_err(|error| Failure::Instantiation(format!("{error:#}")))?;
        Ok(Prepared::Fresh(store))
    }

    /// A fresh store for one workflow.
    pub(crate) fn prepare_workflow(
        &self,
        caller: Arc<Caller>,
        context: Context,
    ) -> Result<Store<GuestState>, Failure> {
        instance::workflow_store(self.pre.engine(), &self.context, caller, context)
            .map_err(|error| Failure::Instantiation(format!("{error:#}")))
    }

    /// The instance of one workflow.
    pub(crate) async fn ready_workflow(&self, store: Store<GuestState>) -> Result<Ready, Failure> {
        let pre = self.workflow_pre.as_ref();
        let pre = pre.ok_or_else(|| Failure::NoResponse("it has no workflows".to_owned()))?;
        self.instantiate(pre, store).await
    }

    /// The instance to call.
    pub(crate) async fn ready(&self, prepared: Prepared) -> Result<Ready, Failure> {
        match prepared {
            Prepared::Used(ready) => Ok(ready),
            Prepared::Fresh(store) => self.instantiate(&self.pre, store).await,
        }
    }

    async fn instantiate(
        &self,
        pre: &InstancePre<GuestState>,
        mut store: Store<GuestState>,
    ) -> Result<Ready, Failure> {
        let mut instance = pre.instantiate_async(&mut store).await;
        if instance
            .as_ref()
            .is_err_and(|error| error.is::<PoolConcurrencyLimitError>())
        {
            self.context.idle.evict();
            instance = pre.instantiate_async(&mut store).await;
        }
        match instance {
            Ok(instance) => Ok(Ready {
                store,
                instance,
                http: None,
                served: 0,
            }),
            Err(error) if error.is::<PoolConcurrencyLimitError>() => Err(Failure::Overloaded),
            Err(error) => Err(classify(&error, store.data(), Failure::Instantiation)),
        }
    }

    /// Keeps an instance whose call went well, if the manifest lets it serve again.
    pub(crate) fn keep(&self, mut ready: Ready) {
        ready.served += 1;
        let limits = &self.context.app;
        if ready.served < limits.instances.reuse {
            let mut idle = self.idle.lock();
            if idle.len() < limits.limits.concurrency as usize {
                idle.push((Instant::now(), ready));
            }
        } else if ready.served == 1 {
            self.resident.after_call();
        }
    }

    /// Drops instances that have been idle for at least this long.
    pub(crate) fn retire(&self, idle_min: Duration) {
        let mut idle = self.idle.lock();
        // The longest idle come first.
        let kept = idle.partition_point(|(since, _)| since.elapsed() >= idle_min);
        let retired: Vec<_> = idle.drain(..kept).collect();
        drop(idle);
        drop(retired);
    }

    pub(crate) fn http(&self) -> Result<&HttpExport, Failure> {
        self.exports.http.as_ref().ok_or(Failure::NoHttp)
    }
}

impl Prepared {
    pub(crate) fn store(&mut self) -> &mut Store<GuestState> {
        match self {
            Self::Fresh(store) => store,
            Self::Used(ready) => &mut ready.store,
        }
    }
}

/// Why a guest stopped: the limit that it met, else what `otherwise` makes of the text.
pub(crate) fn classify(
    error: &wasmtime::Error,
    state: &GuestState,
    otherwise: impl FnOnce(String) -> Failure,
) -> Failure {
    if error.is::<CpuTimeUsed>() {
        return Failure::CpuTime;
    }
    if error.downcast_ref::<Trap>() == Some(&Trap::StackOverflow) {
        return Failure::Stack;
    }
    match state.meter.refused {
        Some(Refused::Memory) => Failure::Memory,
        Some(Refused::Table) => Failure::Table,
        None => otherwise(format!("{error:#}")),
    }
}
