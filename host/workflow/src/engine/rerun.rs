//! Running an instance again from an event of its history, as a new instance.

use super::{Engine, client::absent};
use crate::{
    Event, EventKind, Payload, RerunOptions, StartOptions, StartedInstance, WorkflowError, codec,
    context::check_id,
    core::Core,
    driver::{new_instance, queue},
    event::{Role, Started},
};
use berth_blocks::workflow::{EventRow, InstanceKey};
use std::collections::VecDeque;

impl Engine {
    /// Starts a new instance with the history of another up to event `from`, which is run again: an activity that was
    /// asked for there is called again, and everything after it happens anew. The other instance is not touched.
    ///
    /// # Errors
    /// There is no such instance or event; the event is not one that the workflow asked for; the new ID is taken; or the
    /// store cannot be reached.
    pub async fn rerun(
        &self,
        key: &InstanceKey,
        from: u64,
        new_id: &str,
        options: RerunOptions,
    ) -> Result<StartedInstance, WorkflowError> {
        check_id(new_id).map_err(WorkflowError::Invalid)?;
        let mut history: VecDeque<Event> = self.history(key).await?.into();
        let event = usize::try_from(from)
            .ok()
            .and_then(|from| history.get(from));
        let event = event.ok_or_else(|| {
            WorkflowError::NotFound(format!(
                "{key} has {} events, and none of number {from}",
                history.len()
            ))
        })?;
        if from > 0 && event.kind.role() != Role::Command {
            return Err(WorkflowError::Invalid(format!(
                "event {from} is {}: expected one that the workflow asked for, such as an activity",
                event.describe()
            )));
        }
        // The code asks for the event again, unless its input is another one.
        let kept = from.saturating_add(u64::from(from == 0 || options.input.is_some()));
        history.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        if let Some(input) = options.input {
            replace_input(history.back_mut(), input)?;
        }
        let new_key = InstanceKey::new(key.namespace.clone(), key.app.clone(), new_id);
        self.start_copy(new_key, history, &options.start).await
    }

    async fn start_copy(
        &self,
        key: InstanceKey,
        mut history: VecDeque<Event>,
        options: &StartOptions,
    ) -> Result<StartedInstance, WorkflowError> {
        let now = self.shared.platform.now();
        let started = match history.front_mut().map(|event| &mut event.kind) {
            Some(EventKind::Started(started)) => {
                // A run of its own, for its children and for what activities are known by outside; but the randomness of the
                // first one, since the history depends on it.
                let seed = started
                    .seed
                    .take()
                    .unwrap_or_else(|| started.execution.clone());
                started.seed = Some(seed);
                started.execution = self.shared.new_execution();
                started.start_at = options.at.map(|at| at.0);
                started.parent = None;
                started.clone()
            }
            _ => return Err(absent(&key)),
        };
        let input = history.front().and_then(|event| event.payload.clone());
        let mut instance = new_instance(
            key.clone(),
            started.clone(),
            input.unwrap_or_default(),
            None,
            now,
        );
        instance.events.clear();
        instance.blobs.clear();
        for (seq, event) in (0..).zip(&history) {
            let body = codec::encode_event(event, &mut instance.blobs);
            instance.events.push(EventRow { seq, body });
        }
        self.reopen(&key, &started, &history, &mut instance)?;
        instance.ready_at = options.at.unwrap_or(now);
        self.create(instance, VecDeque::new(), options).await
    }

    /// Queued activities that had no result at that point are queued again. Children that had none cannot be: they
    /// report to the other instance.
    fn reopen(
        &self,
        key: &InstanceKey,
        started: &Started,
        history: &VecDeque<Event>,
        instance: &mut berth_blocks::workflow::NewInstance,
    ) -> Result<(), WorkflowError> {
        let Some(mut core) = Core::new(key.clone(), history.clone()) else {
            return Ok(());
        };
        core.live_through();
        if let Some((seq, _)) = core.open_children().first_key_value() {
            return Err(WorkflowError::Invalid(format!(
                "event {seq} began a child workflow that had not ended at that point: run again from there, or from \
                 before it"
            )));
        }
        for (seq, _) in core.pending() {
            if let Some(activity) = core
                .pending_activity(seq)
                .filter(|activity| activity.queued)
            {
                let now = self.shared.platform.now();
                instance.tasks.push(queue(key, seq, activity, started, now));
            }
        }
        Ok(())
    }
}

fn replace_input(event: Option<&mut Event>, input: Payload) -> Result<(), WorkflowError> {
    match event {
        Some(event) => match &mut event.kind {
            EventKind::Started(_) => event.payload = Some(input),
            EventKind::ActivityScheduled(scheduled) => {
                scheduled.input_replaced = true;
                event.payload = Some(input);
            }
            _ => {
                return Err(WorkflowError::Invalid(format!(
                    "{} has no input that could be replaced",
                    event.describe()
                )));
            }
        },
        None => return Ok(()),
    }
    Ok(())
}
