//! One owned instance: runs its code, gives it what arrives, and stores what happened.
//!
//! ```text
//! turn    poll the code until it waits for what is not there; append each delivery as it is given
//! settle  one commit of everything new, if anything of it must be known before the world may see a consequence
//! launch  begin the activities that follow from what is stored
//! wait    for a result, a message, a timer, the code itself, or to be told to stop
//! ```
//!
//! Commands follow from the history before them, so they need no commit of their own: an inline activity may begin at
//! once if everything that led to it is stored. A delivery must be stored before anything that follows from it begins.
//! Hence one commit per sequential activity: the result of one with the command for the next.

mod attempt;
mod commit;
mod deliver;
mod end;
mod inbox;
mod load;
mod wait;

pub(crate) use attempt::timed_out;
pub(crate) use commit::{new_instance, queue};
pub(crate) use load::{history, history_page, load};

use crate::{
    Context, WorkflowEnd, WorkflowRun,
    core::{Core, Halt},
    engine::{Instance, Shared},
    guest::Guest,
    platform::Task,
};
use attempt::Attempts;
use berth_blocks::workflow::{
    InstanceKey, InstanceRow, InstanceState, MessageId, Outgoing, Status, Timestamp,
    WorkflowStoreError,
};
use inbox::Inbox;
use parking_lot::Mutex;
use std::{collections::BTreeSet, sync::Arc, task::Poll};

/// Why a driver let go of its instance.
#[derive(Debug)]
pub(crate) enum Exit {
    /// It ended: as it is stored.
    Ended(Box<InstanceRow>),
    /// It waits and is owned by nobody.
    Released,
    /// Somebody else owns it, or it is gone.
    Lost(String),
    /// It is not known what is stored: to be loaded again.
    Retry(String),
    /// Its code panicked.
    Panicked,
}

/// Where a turn ended.
enum Turn {
    /// Everything that was there has been given to the code, and it waits.
    Idle,
    /// The code has neither ended nor waits for anything: it is working.
    Busy,
    Ended(WorkflowEnd),
    /// The code must not go on: why, and where it stood if it said so.
    Halted(String),
    /// Somebody ended the instance from outside.
    Terminated(end::Termination),
    /// Its code must not run before this time.
    TooEarly(Timestamp),
}

/// The driver of one instance.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    instance: Arc<Instance>,
    key: InstanceKey,
    epoch: u64,
    version: u64,
    /// As it was when the driver began.
    row: InstanceRow,
    /// As it was last stored, or will be with the next commit.
    state: InstanceState,
    /// Former owner's lease ended: what was running may be what ended it.
    taken_over: bool,
    core: Arc<Mutex<Core>>,
    /// Made when the code first runs in this life of the instance.
    guest: Option<Guest>,
    inbox: Inbox,
    attempts: Attempts,
    /// When timers fire, waits time out and attempts begin.
    due: BTreeSet<(Timestamp, u64)>,
    /// Messages of the inbox that fresh events took in.
    consumed: Vec<MessageId>,
    /// For other instances, with the next commit.
    sends: Vec<Outgoing>,
    /// Queued activities that are no longer wanted.
    dropped_tasks: Vec<u64>,
    /// When commands that need no commit are stored anyway, so that they can be seen.
    flush_at: Option<Timestamp>,
    /// Since when nothing has happened.
    idle_since: Timestamp,
}

impl Driver {
    /// Drives the instance until it ends or is given up.
    pub(crate) async fn run(mut self) -> Exit {
        loop {
            let step = self.step().await;
            match step {
                Ok(None) => {}
                Ok(Some(exit)) | Err(exit) => return exit,
            }
        }
    }

    async fn step(&mut self) -> Result<Option<Exit>, Exit> {
        match self.turn().await? {
            Turn::Idle => {
                let starts = self.prepare();
                if self.has_input() {
                    // An attempt that was lost with a host is a result of its own.
                    return Ok(None);
                }
                self.settle(!starts.is_empty()).await?;
                self.launch(starts);
                self.wait().await
            }
            Turn::Busy => self.wait().await,
            // If it continues as new there is nothing to wait for.
            Turn::Ended(end) => self.end(end).await,
            Turn::Halted(why) => self.stall(why).await.map(Some),
            Turn::Terminated(termination) => self.terminate(termination).await.map(Some),
            Turn::TooEarly(at) => self.wait_for_start(at).await.map(Some),
        }
    }

    /// Runs the code until it waits for what is not there.
    async fn turn(&mut self) -> Result<Turn, Exit> {
        loop {
            self.read_inbox().await?;
            if let Some(termination) = self.take_termination() {
                return Ok(Turn::Terminated(termination));
            }
            let start_at = self.core.lock().started.start_at.map(Timestamp);
            if let Some(at) = start_at.filter(|at| *at > self.shared.platform.now()) {
                return Ok(Turn::TooEarly(at));
            }
            self.obey_suspension();
            if self.state.status == Status::Suspended {
                self.hand_results_to_inbox();
                return Ok(Turn::Idle);
            }
            let polled = self.poll_guest();
            let mut core = self.core.lock();
            if let Some(halt) = core.halt.clone() {
                let waits = polled.is_pending() && core.tell_halt();
                drop(core);
                let end = if waits { self.poll_guest() } else { polled };
                return Ok(Turn::Halted(with_frames(&halt, end)));
            }
            match polled {
                Poll::Ready(end) => return Ok(Turn::Ended(end)),
                Poll::Pending if !core.is_blocked() => return Ok(Turn::Busy),
                Poll::Pending => {}
            }
            if core.deliver_past() {
                continue;
            }
            drop(core);
            if !self.deliver_next() {
                return Ok(Turn::Idle);
            }
        }
    }

    fn poll_guest(&mut self) -> Poll<WorkflowEnd> {
        if self.guest.is_none() {
            self.choose_code();
            let (context, run) = self.invocation();
            let future = self.shared.executor.run_workflow(context, run);
            self.guest = Some(Guest::new(future));
        }
        match &mut self.guest {
            Some(guest) => guest.poll(),
            None => Poll::Pending,
        }
    }

    fn choose_code(&mut self) {
        let core = self.core.lock();
        let (workflow, stored) = (&core.started.workflow, self.state.code.as_deref());
        self.state.code = self.shared.executor.code(&self.key, workflow, stored);
    }

    fn invocation(&self) -> (Context, WorkflowRun) {
        let core = self.core.lock();
        let run = WorkflowRun {
            key: self.key.clone(),
            name: core.started.workflow.clone(),
            input: core.input.clone(),
            traceparent: core.traceparent.clone(),
            code: self.state.code.clone(),
        };
        let local = self.shared.local_apps(&self.key.namespace);
        (Context::new(self.core.clone(), local), run)
    }

    /// The clock, but never before the last delivery.
    fn now(&self) -> Timestamp {
        self.shared.platform.now().max(self.core.lock().now())
    }

    fn spawn(&self, future: futures::future::BoxFuture<'static, ()>) -> Task {
        self.shared.platform.spawn(future)
    }

    /// A place where simulations crash.
    async fn reach(&mut self, place: &'static str) {
        self.shared.reach(place).await;
    }
}

/// A halt with the lines in which the code that was stopped says where it stood.
fn with_frames(halt: &Halt, end: Poll<WorkflowEnd>) -> String {
    match end {
        Poll::Ready(WorkflowEnd::Stalled(text)) if text.contains('\n') => {
            let (_, frames) = text.split_once('\n').unwrap_or_default();
            format!("{halt}\n{frames}")
        }
        _ => halt.to_string(),
    }
}

/// What an error of the store means for whoever drives an instance.
fn exit(error: WorkflowStoreError) -> Exit {
    match error {
        WorkflowStoreError::Fenced(why) | WorkflowStoreError::NotFound(why) => Exit::Lost(why),
        other => Exit::Retry(other.to_string()),
    }
}
