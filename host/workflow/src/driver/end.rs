//! The ways in which an instance ends, or is given up.

use super::{Driver, Exit, deliver::outgoing, exit};
use crate::{
    EndedRun, Event, EventKind, Failure, Payload, WorkflowEnd, codec,
    core::{ContinueAsNew, Core},
    event::Started,
    message::{Ended, Message},
};
use berth_blocks::workflow::{
    EventRow, InstanceKey, InstanceQuery, InstanceRow, Outgoing, Release, Status, Timestamp,
};
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

/// When an instance that could not be run is tried again.
const RETRY_UNAVAILABLE: Duration = Duration::from_secs(5);

/// Children looked up at once.
const CHILDREN_PAGE: usize = 500;

/// A request to end an instance.
#[derive(Debug, Clone)]
pub(super) struct Termination {
    pub(super) reason: String,
    /// Its children, too.
    pub(super) recursive: bool,
}

impl Driver {
    /// The code has ended. `None`: it continues as new.
    pub(super) async fn end(&mut self, end: WorkflowEnd) -> Result<Option<Exit>, Exit> {
        // Nothing of this run's code lives on.
        self.guest = None;
        let (ended, payload) = match end {
            WorkflowEnd::Stalled(why) => return Ok(Some(self.stall(why).await?)),
            WorkflowEnd::Unavailable(why) => return Ok(Some(self.postpone(why).await?)),
            WorkflowEnd::Completed(payload) => (Ended::Completed, Some(payload)),
            WorkflowEnd::Failed(failure) => (Ended::Failed(failure), None),
        };
        let (halt, continued) = {
            let mut core = self.core.lock();
            core.check_end(match &ended {
                Ended::Completed => "its end",
                Ended::Failed(_) => "its end with an error",
            });
            (core.halt.clone(), core.continue_as_new.take())
        };
        if let Some(halt) = halt {
            return Ok(Some(self.stall(halt.to_string()).await?));
        }
        if let Some(continued) = continued {
            self.continue_as_new(continued).await?;
            return Ok(None);
        }
        let canceled = self.core.lock().cancel_requested;
        let status = match &ended {
            Ended::Completed => Status::Completed,
            Ended::Failed(_) if canceled => Status::Canceled,
            Ended::Failed(_) => Status::Failed,
        };
        let ended = self.finish(status, &ended, payload.as_ref()).await?;
        Ok(Some(ended))
    }

    /// Ends the instance for good, and tells its parent.
    async fn finish(
        &mut self,
        status: Status,
        ended: &Ended,
        payload: Option<&Payload>,
    ) -> Result<Exit, Exit> {
        let now = self.now();
        self.sends.extend(self.report(status, ended, payload, now));
        if let Some(custom) = self.core.lock().custom_status.take() {
            self.state.custom_status = Some(custom);
        }
        self.state.status = status;
        self.state.waiting = None;
        self.state.problem = None;
        self.state.outcome = Some(codec::encode(ended, payload));
        self.state.finished_at = Some(now);
        self.state.expires_at = self
            .shared
            .config
            .retention
            .of(status)
            .map(|kept| now.after(kept));
        let commit = self.build_commit(None);
        self.store(commit).await?;
        metrics::counter!("berth_workflow_ended_total", "status" => status.name()).increment(1);
        self.note_run(now, Some(status));
        let core = self.core.lock();
        Ok(Exit::Ended(Box::new(InstanceRow {
            execution: core.started.execution.clone(),
            state: self.state.clone(),
            events: core.next_seq(),
            version: self.version,
            owner: None,
            ready_at: None,
            updated_at: now,
            ..self.row.clone()
        })))
    }

    /// Tells the executor of the end of this run, if it is part of a trace.
    fn note_run(&self, ended: Timestamp, status: Option<Status>) {
        let core = self.core.lock();
        let (Some(started_by), Some(traceparent)) = (&core.started.traceparent, &core.traceparent)
        else {
            return;
        };
        self.shared.executor.run_ended(EndedRun {
            key: self.key.clone(),
            workflow: core.started.workflow.clone(),
            started_by: started_by.clone(),
            traceparent: traceparent.to_string(),
            began: core.began,
            ended,
            status,
        });
    }

    /// What the parent is told, if there is one.
    fn report(
        &self,
        status: Status,
        ended: &Ended,
        payload: Option<&Payload>,
        now: Timestamp,
    ) -> Option<Outgoing> {
        let parent = self.core.lock().started.parent.clone()?;
        let app = parent.app.parse().ok()?;
        let to = InstanceKey::new(self.key.namespace.clone(), app, &parent.id);
        let failure = match (ended, status) {
            (Ended::Completed, _) => None,
            (Ended::Failed(failure), Status::Canceled) => {
                Some(Failure::new(Failure::CANCELED, failure.message.clone()).non_retryable())
            }
            // Whoever ended it wants no other in its place.
            (Ended::Failed(failure), Status::Terminated) => Some(failure.clone().non_retryable()),
            (Ended::Failed(failure), _) => Some(failure.clone()),
        };
        Some(outgoing(
            to,
            &Message::child_ended(&parent, failure),
            payload,
            now,
        ))
    }

    /// Ends the instance from outside. Of the present turn nothing is kept but what is stored.
    pub(super) async fn terminate(&mut self, termination: Termination) -> Result<Exit, Exit> {
        self.guest = None;
        self.drop_fresh();
        let now = self.now();
        if termination.recursive {
            for child in self.living_children().await? {
                let message = Message::Terminate {
                    reason: termination.reason.clone(),
                    recursive: true,
                };
                self.sends.push(outgoing(child, &message, None, now));
            }
        }
        let ended = Ended::Failed(Failure::new(Failure::TERMINATED, termination.reason));
        self.finish(Status::Terminated, &ended, None).await
    }

    /// Children that have not ended, also those of former runs and those that nobody awaits.
    async fn living_children(&mut self) -> Result<Vec<InstanceKey>, Exit> {
        let mut query = InstanceQuery {
            statuses: Status::ALL
                .into_iter()
                .filter(|status| !status.is_terminal())
                .collect(),
            ..InstanceQuery::children(self.key.clone(), CHILDREN_PAGE)
        };
        let mut children = Vec::new();
        loop {
            let page = self.shared.store.list(query.clone()).await.map_err(exit)?;
            children.extend(page.rows.into_iter().map(|row| row.key));
            match page.next {
                Some(next) => query.token = Some(next),
                None => return Ok(children),
            }
        }
    }

    /// The code cannot go on as it is. Its history stays as it was; the row says why.
    pub(super) async fn stall(&mut self, why: String) -> Result<Exit, Exit> {
        self.guest = None;
        tracing::warn!(instance = %self.key, "stalled: {why}");
        metrics::counter!("berth_workflow_stalls_total").increment(1);
        self.drop_fresh();
        self.state.status = Status::Stalled;
        self.state.waiting = None;
        self.state.problem = Some(why);
        let release = self.release_at(None);
        let commit = self.empty_commit(self.now(), Some(release));
        self.store(commit).await?;
        Ok(Exit::Released)
    }

    /// The code cannot be run here and now.
    async fn postpone(&mut self, why: String) -> Result<Exit, Exit> {
        self.drop_fresh();
        self.state.problem = Some(why);
        let again = self.now().after(RETRY_UNAVAILABLE);
        let release = self.release_at(Some(again));
        let commit = self.empty_commit(self.now(), Some(release));
        self.store(commit).await?;
        Ok(Exit::Released)
    }

    /// It was made ready before its time, by a message; it waits on.
    pub(super) async fn wait_for_start(&mut self, at: Timestamp) -> Result<Exit, Exit> {
        let release = self.release_at(Some(at));
        let released = self
            .shared
            .store
            .release(&self.key, self.epoch, release)
            .await;
        released.map_err(exit)?;
        Ok(Exit::Released)
    }

    /// Forgets what is not stored: its messages are still in the inbox.
    fn drop_fresh(&mut self) {
        self.core.lock().drop_fresh();
        self.consumed.clear();
        self.sends.clear();
        self.dropped_tasks.clear();
    }

    /// Giving the instance up, with what is known of its inbox.
    pub(super) fn release_at(&self, ready_at: Option<Timestamp>) -> Release {
        Release {
            ready_at,
            seen: self.inbox.seen,
            now: self.shared.platform.now(),
        }
    }

    /// Begins anew with an empty history.
    async fn continue_as_new(&mut self, continued: ContinueAsNew) -> Result<(), Exit> {
        let now = self.now();
        let execution = self.shared.new_execution();
        let (before, raised) = {
            let mut core = self.core.lock();
            (core.started.clone(), core.take_raised())
        };
        let started = Started {
            execution: execution.clone(),
            seed: None,
            start_at: None,
            generation: before.generation + 1,
            ..(*before).clone()
        };
        let first = Event::new(now, EventKind::Started(started)).with(continued.input);
        let carried = raised.into_iter().filter(|_| continued.keep_events);
        let carried = carried
            .map(|(name, payload)| Event::new(now, EventKind::EventRaised { name }).with(payload));
        let events: VecDeque<_> = std::iter::once(first).chain(carried).collect();
        self.state.status = Status::Running;
        self.state.waiting = None;
        let mut commit = self.build_commit(None);
        commit.restart = Some(execution);
        commit.blobs.clear();
        commit.starts.clear();
        commit.tasks.clear();
        let rows = events.iter().zip(0..).map(|(event, seq)| EventRow {
            seq,
            body: codec::encode_event(event, &mut commit.blobs),
        });
        commit.events = rows.collect();
        self.store(commit).await?;
        self.note_run(now, None);
        let core = Core::new(self.key.clone(), events);
        if let Some(core) = core {
            self.core = std::sync::Arc::new(parking_lot::Mutex::new(core));
        }
        self.attempts = super::Attempts::default();
        self.due = BTreeSet::new();
        Ok(())
    }
}
