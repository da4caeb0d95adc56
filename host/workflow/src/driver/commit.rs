//! Stores what happened.

use super::{Driver, Exit, deliver::child_key, exit};
use crate::{
    Event, EventKind, Failure, Payload, codec,
    core::{Activity, Core},
    event::{Parent, Role, Started},
    limits::HISTORY_EVENTS_WARN,
    message::{Message, QueuedActivity},
};
use berth_blocks::workflow::{
    Commit, EventRow, InstanceKey, NewInstance, NewTask, Release, StartChild, Status, Timestamp,
    Waiting,
};
use std::time::Duration;

/// How long commands that need no commit of their own may stay unseen by tools.
const FLUSH_AFTER: Duration = Duration::from_millis(100);

impl Driver {
    /// Stores what is new, unless it can wait for the next commit: `starting` says that attempts are about to begin.
    pub(super) async fn settle(&mut self, starting: bool) -> Result<(), Exit> {
        if self.must_commit() {
            return self.commit_now(None).await;
        }
        self.note_waiting();
        let busy = starting || !self.attempts.is_idle();
        let fresh = self.core.lock().has_fresh();
        if fresh && !busy {
            return self.commit_now(None).await;
        }
        if fresh && self.flush_at.is_none() {
            self.flush_at = Some(self.shared.platform.now().after(FLUSH_AFTER));
        }
        Ok(())
    }

    /// Whether something happened that does not follow from what is stored, or that others must learn.
    fn must_commit(&self) -> bool {
        let core = self.core.lock();
        let told = |event: &Event| match &event.kind {
            EventKind::ChildScheduled(_) => true,
            EventKind::ActivityScheduled(scheduled) => scheduled.queued,
            kind => kind.role() != Role::Command,
        };
        !self.consumed.is_empty()
            || !self.sends.is_empty()
            || core.fresh().any(|(_, event)| told(event))
    }

    /// Stores everything that is new.
    pub(super) async fn commit_now(&mut self, release: Option<Release>) -> Result<(), Exit> {
        self.note_waiting();
        let commit = self.build_commit(release);
        self.store(commit).await
    }

    /// Applies a commit. After an error nothing is known, and the instance is loaded again.
    pub(super) async fn store(&mut self, commit: Commit) -> Result<(), Exit> {
        let told: Vec<_> = commit.sends.iter().map(|send| send.to.clone()).collect();
        let (children, tasks) = (!commit.starts.is_empty(), !commit.tasks.is_empty());
        self.reach("before commit").await;
        let storing = self.shared.store.commit(commit);
        let stored = self.attempts.beside(storing).await;
        // Also after an error, which leaves open what happened: nobody else tells those who are concerned.
        for key in told {
            self.shared.message_sent(&key);
        }
        if children {
            self.shared.claims.notify_one();
        }
        if tasks {
            self.shared.queued.notify_one();
        }
        self.version = stored.map_err(exit)?;
        metrics::counter!("berth_workflow_commits_total").increment(1);
        self.reach("after commit").await;
        self.core.lock().mark_stored();
        self.flush_at = None;
        Ok(())
    }

    /// Keeps what the instance waits for in its row.
    fn note_waiting(&mut self) {
        if self.state.status == Status::Suspended {
            return;
        }
        let (on, custom_status) = {
            let mut core = self.core.lock();
            (core.waiting_on(), core.custom_status.take())
        };
        let now = self.now();
        let since = |on| Waiting { on, since: now };
        if on.as_ref() != self.state.waiting.as_ref().map(|waiting| &waiting.on) {
            self.state.waiting = on.map(since);
        }
        if custom_status.is_some() {
            self.state.custom_status = custom_status;
        }
        self.state.status = Status::Running;
        self.state.problem = None;
    }

    pub(super) fn build_commit(&mut self, release: Option<Release>) -> Commit {
        let now = self.now();
        let mut commit = self.empty_commit(now, release);
        commit.consumed = std::mem::take(&mut self.consumed);
        commit.sends = std::mem::take(&mut self.sends);
        commit.dropped_tasks = std::mem::take(&mut self.dropped_tasks);
        let core = self.core.lock();
        for (seq, event) in core.fresh() {
            if seq == HISTORY_EVENTS_WARN {
                tracing::warn!(instance = %self.key, "the history has {seq} events: let the workflow continue as new");
            }
            let body = codec::encode_event(event, &mut commit.blobs);
            commit.events.push(EventRow { seq, body });
            match &event.kind {
                EventKind::ChildScheduled(_) | EventKind::ChildRetrying { .. } => {
                    commit
                        .starts
                        .extend(self.start_child(&core, seq, event, now));
                }
                EventKind::ActivityScheduled(_) => {
                    commit.tasks.extend(self.queued_attempt(&core, seq, now));
                }
                EventKind::ActivityRetrying { of, retry_at, .. } => {
                    let at = Timestamp(*retry_at);
                    commit.tasks.extend(self.queued_attempt(&core, *of, at));
                }
                _ => {}
            }
        }
        commit
    }

    /// The child that an event begins: the first, or another in its place.
    fn start_child(
        &self,
        core: &Core,
        seq: u64,
        event: &Event,
        now: Timestamp,
    ) -> Option<StartChild> {
        let (operation, name, app, id, input, start_at) = match &event.kind {
            EventKind::ChildScheduled(child) => {
                let input = event.payload.clone().unwrap_or_default();
                (seq, &child.name, &child.app, &child.id, input, None)
            }
            EventKind::ChildRetrying {
                of, id, retry_at, ..
            } => {
                let child = core.pending_child(*of)?;
                (
                    *of,
                    &child.name,
                    &child.app,
                    id,
                    child.input.clone(),
                    Some(*retry_at),
                )
            }
            _ => return None,
        };
        let parent = Parent {
            app: self.key.app.to_string(),
            id: self.key.id.to_string(),
            execution: core.started.execution.clone(),
            operation,
        };
        let started = Started {
            workflow: name.clone(),
            execution: self.shared.new_execution(),
            seed: None,
            start_at,
            parent: Some(parent),
            generation: 0,
            traceparent: core.traceparent.as_deref().map(Into::into),
        };
        let key = child_key(&self.key, app.as_deref(), id);
        Some(start_child(&self.key, key, started, input, now))
    }

    /// The present attempt of an activity as a task, if it is one that is queued.
    fn queued_attempt(&self, core: &Core, of: u64, visible_at: Timestamp) -> Option<NewTask> {
        let activity = core
            .pending_activity(of)
            .filter(|activity| activity.queued)?;
        Some(queue(&self.key, of, activity, &core.started, visible_at))
    }

    /// A commit that changes nothing but the row.
    pub(super) fn empty_commit(&self, now: Timestamp, release: Option<Release>) -> Commit {
        Commit {
            key: self.key.clone(),
            epoch: self.epoch,
            version: self.version,
            now,
            restart: None,
            events: Vec::new(),
            blobs: Vec::new(),
            state: self.state.clone(),
            consumed: Vec::new(),
            sends: Vec::new(),
            starts: Vec::new(),
            tasks: Vec::new(),
            dropped_tasks: Vec::new(),
            release,
        }
    }
}

/// An activity for the task queue.
pub(crate) fn queue(
    key: &InstanceKey,
    operation: u64,
    activity: &Activity,
    started: &Started,
    visible_at: Timestamp,
) -> NewTask {
    let app = activity.options.app.as_deref();
    let queued = QueuedActivity {
        name: activity.name.clone(),
        execution: started.execution.clone(),
        attempt: activity.attempt(),
        options: activity.options.clone(),
        traceparent: started.own_traceparent(),
    };
    NewTask {
        app: (app.and_then(|app| app.parse().ok())).unwrap_or_else(|| key.app.clone()),
        operation,
        visible_at,
        body: codec::encode(&queued, Some(&activity.input)),
    }
}

/// A child, and what its parent is told if the ID is taken.
fn start_child(
    parent: &InstanceKey,
    key: InstanceKey,
    started: Started,
    input: Payload,
    now: Timestamp,
) -> StartChild {
    let failure = Failure::new(Failure::EXISTS, format!("there is already a {key}"));
    let refused = started.parent.as_ref();
    let refused = refused.map(|of| Message::child_ended(of, Some(failure.non_retryable())));
    let body = refused.map(|message| codec::encode(&message, None));
    let ready_at = started.start_at.map_or(now, Timestamp);
    StartChild {
        instance: NewInstance {
            ready_at,
            ..new_instance(key, started, input, Some(parent.clone()), now)
        },
        refused: berth_blocks::workflow::Message {
            dedup: None,
            body: body.unwrap_or_default(),
            at: now,
        },
    }
}

/// An instance with nothing but its start in its history.
pub(crate) fn new_instance(
    key: InstanceKey,
    started: Started,
    input: Payload,
    parent: Option<InstanceKey>,
    now: Timestamp,
) -> NewInstance {
    let mut blobs = Vec::new();
    let (execution, workflow) = (started.execution.clone(), started.workflow.clone());
    let event = Event::new(now, EventKind::Started(started)).with(input);
    let body = codec::encode_event(&event, &mut blobs);
    NewInstance {
        key,
        execution,
        workflow,
        parent,
        events: vec![EventRow { seq: 0, body }],
        blobs,
        tasks: Vec::new(),
        ready_at: now,
        created_at: now,
        owner: None,
    }
}
