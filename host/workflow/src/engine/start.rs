//! Starting instances.

use super::{
    Engine,
    owned::{Acquired, Arrival, adopt},
};
use crate::{
    Conflict, Event, EventKind, Payload, Reuse, StartOptions, Started, StartedInstance,
    WorkflowError,
    context::check_id,
    driver::new_instance,
    limits::{NAME_BYTES_MAX, PAYLOAD_BYTES_MAX},
};
use berth_blocks::workflow::{
    Created, InstanceKey, InstanceRow, NewInstance, Status, WorkflowStoreError,
};
use std::{collections::VecDeque, sync::atomic::Ordering, time::Duration};

/// How often a creation whose outcome is unknown is looked at again.
const ATTEMPTS: u32 = 3;

/// How long to wait for an instance to end that is to be replaced.
const TERMINATION: Duration = Duration::from_secs(30);

impl Engine {
    /// Starts an instance. When this returns, it is stored and will run, whatever happens.
    ///
    /// # Errors
    /// A bad name, ID or input; the ID is taken; or the store cannot be reached.
    pub async fn start(
        &self,
        key: &InstanceKey,
        workflow: &str,
        input: Payload,
        options: StartOptions,
    ) -> Result<StartedInstance, WorkflowError> {
        check_id(&key.id).map_err(WorkflowError::Invalid)?;
        check_workflow(workflow, &input)?;
        let now = self.shared.platform.now();
        let started = Started {
            workflow: workflow.to_owned(),
            execution: self.shared.new_execution(),
            seed: None,
            start_at: options.at.map(|at| at.0),
            parent: None,
            generation: 0,
            traceparent: options.traceparent.clone(),
        };
        let first = Event::new(now, EventKind::Started(started.clone())).with(input.clone());
        let mut instance = new_instance(key.clone(), started, input, None, now);
        instance.ready_at = options.at.unwrap_or(now);
        if instance.ready_at <= now && self.has_place_for(key) {
            instance.owner = Some(self.shared.owner.clone());
        }
        self.create(instance, VecDeque::from([first]), &options)
            .await
    }

    /// Whether this host runs the app and can take one more instance at once.
    fn has_place_for(&self, key: &InstanceKey) -> bool {
        let shared = &self.shared;
        shared.owned.lock().len() < shared.config.instances_max
            && shared.local_apps(&key.namespace).contains(&key.app)
            && shared.has_lease()
            && !shared.stopping.load(Ordering::Relaxed)
    }

    pub(super) async fn create(
        &self,
        instance: NewInstance,
        events: VecDeque<Event>,
        options: &StartOptions,
    ) -> Result<StartedInstance, WorkflowError> {
        let replaces = match options.reuse {
            Reuse::Ended => &Status::TERMINAL[..],
            Reuse::Failed => &[Status::Failed, Status::Canceled, Status::Terminated],
            Reuse::Never => &[],
        };
        let mut terminated = false;
        // Whoever is to own it at once need not look for messages: those that come meanwhile are noted.
        let arrival = instance.owner.as_ref();
        let _arrival = arrival.map(|_| Arrival::of(&self.shared, &instance.key));
        loop {
            let created = self.create_once(&instance, replaces).await?;
            let row = match created {
                Created::New(row) => {
                    metrics::counter!("berth_workflow_started_total").increment(1);
                    self.take_up(&row, events);
                    return Ok(StartedInstance {
                        row,
                        existed: false,
                    });
                }
                Created::Exists(row) => row,
            };
            let replaceable = !row.state.status.is_terminal() && !terminated;
            match options.conflict {
                Conflict::UseExisting => return Ok(StartedInstance { row, existed: true }),
                Conflict::Terminate if replaceable => {
                    terminated = true;
                    let reason = "replaced by a new instance of the same ID";
                    self.terminate(&row.key, reason, true).await?;
                    self.wait(&row.key, Some(TERMINATION)).await?;
                }
                Conflict::Fail | Conflict::Terminate => {
                    return Err(WorkflowError::Exists(format!(
                        "there is already a {}, which is {}",
                        row.key, row.state.status
                    )));
                }
            }
        }
    }

    /// An outcome that is unknown shows when the instance is looked at: its run is ours or not.
    async fn create_once(
        &self,
        instance: &NewInstance,
        replaces: &[Status],
    ) -> Result<Created, WorkflowError> {
        let mut attempt = 1;
        loop {
            self.shared.reach("before create").await;
            let created = self.shared.store.create(instance.clone(), replaces).await;
            self.shared.reach("after create").await;
            let error = match created {
                Ok(Created::Exists(row)) if row.execution == instance.execution => {
                    return Ok(Created::New(row));
                }
                Ok(created) => return Ok(created),
                Err(error) => error,
            };
            if instance.owner.is_some() {
                self.shared.doubt();
            }
            let unknown = matches!(
                error,
                WorkflowStoreError::Unavailable(_) | WorkflowStoreError::Other(_)
            );
            if !unknown || attempt == ATTEMPTS {
                return Err(error.into());
            }
            attempt += 1;
        }
    }

    fn take_up(&self, row: &InstanceRow, events: VecDeque<Event>) {
        if row.owner.as_ref() != Some(&self.shared.owner) {
            self.shared.claims.notify_one();
            return;
        }
        adopt(
            &self.shared,
            Acquired {
                // A row that was found again may have moved on.
                events: (row.events == events.len() as u64).then_some(events),
                row: row.clone(),
                taken_over: false,
            },
        );
    }
}

fn check_workflow(name: &str, input: &Payload) -> Result<(), WorkflowError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(WorkflowError::Invalid(format!(
            "workflow name {name:?}: expected 1 to {NAME_BYTES_MAX} bytes"
        )));
    }
    if input.data.len() > PAYLOAD_BYTES_MAX {
        return Err(WorkflowError::TooLarge(format!(
            "the input has {} bytes, the limit is {PAYLOAD_BYTES_MAX}",
            input.data.len()
        )));
    }
    Ok(())
}
