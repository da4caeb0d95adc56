//! All instances, and the leases of hosts.

use super::{Record, RowCounts};
use crate::workflow::{
    ClaimRequest, Claimed, ClaimedTask, Claims, Commit, Created, InstanceKey, InstancePage,
    InstanceQuery, Message, NewInstance, Sent, Status, TaskId, Timestamp, WorkflowStoreError,
};
use berth_resources::{AppId, Namespace};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Table {
    records: BTreeMap<InstanceKey, Record>,
    /// End of each host's lease.
    leases: BTreeMap<String, Timestamp>,
    /// Numbers records, tasks and claims of tasks in the order of their creation.
    created: u64,
}

impl Table {
    pub(super) fn records(&self) -> impl Iterator<Item = (&InstanceKey, &Record)> {
        self.records.iter()
    }

    pub(super) fn find(&self, key: &InstanceKey) -> Option<&Record> {
        self.records.get(key)
    }

    pub(super) fn read<T>(
        &self,
        key: &InstanceKey,
        read: impl FnOnce(&Record) -> T,
    ) -> Result<T, WorkflowStoreError> {
        self.find(key).map(read).ok_or_else(|| absent(key))
    }

    /// The record that a writer owns in this epoch.
    pub(super) fn owned(
        &mut self,
        key: &InstanceKey,
        epoch: u64,
    ) -> Result<&mut Record, WorkflowStoreError> {
        let record = self
            .records
            .get_mut(key)
            .ok_or_else(|| WorkflowStoreError::Fenced(format!("{key} is gone: it was purged")))?;
        if record.epoch != epoch || record.owner.is_none() {
            return Err(WorkflowStoreError::Fenced(format!(
                "{key} is in epoch {}, the writer in epoch {epoch}",
                record.epoch
            )));
        }
        Ok(record)
    }

    pub(super) fn renew(&mut self, owner: &str, until: Timestamp) {
        self.leases.insert(owner.to_owned(), until);
    }

    pub(super) fn end_leases(&mut self) {
        self.leases.clear();
    }

    pub(super) fn leave(&mut self, owner: &str) {
        self.leases.remove(owner);
    }

    pub(super) fn create(&mut self, instance: NewInstance, replaces: &[Status]) -> Created {
        let key = instance.key.clone();
        let before = self.records.get(&key);
        if let Some(before) = before
            && !replaces.contains(&before.state.status)
        {
            return Created::Exists(before.row(&key));
        }
        self.created += 1;
        let mut instance = instance;
        let tasks = std::mem::take(&mut instance.tasks);
        let mut record = Record::new(instance, before, self.created);
        for task in tasks {
            self.created += 1;
            record.add_task(task, self.created);
        }
        let row = record.row(&key);
        self.records.insert(key, record);
        Created::New(row)
    }

    pub(super) fn claim(&mut self, request: &ClaimRequest) -> Claims {
        let leases = &self.leases;
        let alive = |owner: &str| leases.get(owner).is_some_and(|until| *until > request.now);
        let mut ready = Vec::new();
        let mut next_ready_at: Option<Timestamp> = None;
        for (key, record) in &self.records {
            let served = (key.namespace.clone(), key.app.clone());
            if record.state.status.is_terminal() || !request.apps.contains(&served) {
                continue;
            }
            match (&record.owner, record.ready_at) {
                (Some(owner), _) if alive(owner) => {}
                (Some(_), at) => ready.push((at.unwrap_or(request.now), record.order, key.clone())),
                (None, Some(at)) if at <= request.now => {
                    ready.push((at, record.order, key.clone()));
                }
                (None, Some(at)) => {
                    next_ready_at = Some(next_ready_at.map_or(at, |next| next.min(at)));
                }
                (None, None) => {}
            }
        }
        ready.sort();
        if ready.len() > request.limit {
            next_ready_at = Some(request.now);
        }
        let mut claimed = Vec::new();
        for (_, _, key) in ready.into_iter().take(request.limit) {
            if let Some(record) = self.records.get_mut(&key) {
                let taken_over = record.owner.is_some();
                record.owner = Some(request.owner.clone());
                record.epoch += 1;
                claimed.push(Claimed {
                    row: record.row(&key),
                    taken_over,
                });
            }
        }
        Claims {
            claimed,
            next_ready_at,
        }
    }

    pub(super) fn owned_by(&self, owner: &str) -> Vec<(InstanceKey, u64)> {
        let records = self.records.iter();
        let owned = records.filter(|(_, record)| record.owner.as_deref() == Some(owner));
        owned
            .map(|(key, record)| (key.clone(), record.epoch))
            .collect()
    }

    pub(super) fn commit(&mut self, mut commit: Commit) -> Result<u64, WorkflowStoreError> {
        let record = self.owned(&commit.key, commit.epoch)?;
        if record.version != commit.version {
            return Err(WorkflowStoreError::Fenced(format!(
                "{} has version {}, the writer has seen {}",
                commit.key, record.version, commit.version
            )));
        }
        record.apply(&mut commit);
        let version = record.version;
        self.create_tasks(&mut commit);
        for start in commit.starts {
            let refused = start.refused;
            if let Created::Exists(_) = self.create(start.instance, &[]) {
                self.send(&commit.key, refused);
            }
        }
        for outgoing in commit.sends {
            self.send(&outgoing.to, outgoing.message);
        }
        if let (Some(release), Some(record)) = (commit.release, self.records.get_mut(&commit.key)) {
            record.release(release);
        }
        Ok(version)
    }

    /// Nobody waits for tasks of an instance that has ended.
    fn create_tasks(&mut self, commit: &mut Commit) {
        if commit.state.status.is_terminal() {
            return;
        }
        for task in commit.tasks.drain(..) {
            self.created += 1;
            if let Some(record) = self.records.get_mut(&commit.key) {
                record.add_task(task, self.created);
            }
        }
    }

    pub(super) fn send(&mut self, to: &InstanceKey, message: Message) -> Sent {
        match self.records.get_mut(to) {
            Some(record) => record.receive(message),
            None => Sent::NotFound,
        }
    }

    pub(super) fn list(&self, query: &InstanceQuery) -> InstancePage {
        let after: Option<u64> = query.token.as_deref().and_then(|token| token.parse().ok());
        let mut matching: Vec<_> = self
            .records
            .iter()
            .filter(|(key, record)| matches(query, key, record))
            .filter(|(_, record)| after.is_none_or(|after| record.order < after))
            .collect();
        matching.sort_by_key(|(_, record)| std::cmp::Reverse(record.order));
        let more = matching.len() > query.limit;
        matching.truncate(query.limit);
        let last = matching.last().map(|(_, record)| record.order.to_string());
        InstancePage {
            rows: matching
                .into_iter()
                .map(|(key, record)| record.listed(key))
                .collect(),
            next: last.filter(|_| more),
        }
    }

    pub(super) fn purge(
        &mut self,
        key: &InstanceKey,
        force: bool,
    ) -> Result<bool, WorkflowStoreError> {
        let Some(record) = self.records.get(key) else {
            return Ok(false);
        };
        let status = record.state.status;
        if !force && !status.is_terminal() {
            return Err(WorkflowStoreError::NotAllowed(format!(
                "{key} is {status}: only an instance that has ended can be purged"
            )));
        }
        self.records.remove(key);
        Ok(true)
    }

    pub(super) fn purge_expired(&mut self, now: Timestamp, limit: usize) -> usize {
        let expired = self.records.iter().filter(|(_, record)| {
            record.state.status.is_terminal() && record.state.expires_at.is_some_and(|at| at <= now)
        });
        let keys: Vec<_> = expired.map(|(key, _)| key.clone()).take(limit).collect();
        keys.iter()
            .filter(|key| self.records.remove(*key).is_some())
            .count()
    }

    pub(super) fn wake_stalled(
        &mut self,
        namespace: &Namespace,
        app: &AppId,
        now: Timestamp,
    ) -> usize {
        let of_app = self.records.iter_mut().filter(|(key, record)| {
            key.namespace == *namespace
                && key.app == *app
                && record.is_stalled()
                && record.owner.is_none()
        });
        of_app
            .map(|(_, record)| record.ready_at = Some(now))
            .count()
    }

    pub(super) fn codes(&self, namespace: &Namespace, app: &AppId) -> Vec<String> {
        let living = self.records.iter().filter(|(key, record)| {
            key.namespace == *namespace && key.app == *app && !record.state.status.is_terminal()
        });
        let codes: BTreeSet<_> = living
            .filter_map(|(_, record)| record.state.code.clone())
            .collect();
        codes.into_iter().collect()
    }

    pub(super) fn claim_tasks(
        &mut self,
        apps: &[(Namespace, AppId)],
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Vec<ClaimedTask> {
        let mut visible = Vec::new();
        for (key, record) in &mut self.records {
            for (operation, task) in &mut record.tasks {
                let served = (key.namespace.clone(), task.app.clone());
                if task.visible_at <= now && apps.contains(&served) {
                    visible.push((task.order, key, *operation, task));
                }
            }
        }
        visible.sort_by_key(|(order, ..)| *order);
        let claimed = visible.into_iter().take(limit);
        claimed
            .map(|(_, key, operation, task)| {
                self.created += 1;
                task.claim = self.created;
                task.deliveries += 1;
                task.visible_at = until;
                ClaimedTask {
                    id: TaskId {
                        key: key.clone(),
                        operation,
                        claim: task.claim,
                    },
                    app: task.app.clone(),
                    deliveries: task.deliveries,
                    body: task.body.clone(),
                }
            })
            .collect()
    }

    /// `false`: the task is gone or claimed anew.
    pub(super) fn renew_task(&mut self, task: &TaskId, until: Timestamp) -> bool {
        let record = self.records.get_mut(&task.key);
        let held = record
            .and_then(|record| record.tasks.get_mut(&task.operation))
            .filter(|held| held.claim == task.claim);
        held.map(|held| held.visible_at = until).is_some()
    }

    pub(super) fn finish_task(&mut self, task: &TaskId, result: Message) -> bool {
        let Some(record) = self.records.get_mut(&task.key) else {
            return false;
        };
        let held = record.tasks.get(&task.operation);
        if held.is_none_or(|held| held.claim != task.claim) {
            return false;
        }
        record.tasks.remove(&task.operation);
        record.receive(result);
        true
    }

    pub(super) fn counts(&self) -> RowCounts {
        let start = RowCounts {
            instances: self.records.len(),
            ..RowCounts::default()
        };
        self.records.values().fold(start, |sum, record| {
            let [events, messages, tasks, blobs] = record.counts();
            RowCounts {
                events: sum.events + events,
                messages: sum.messages + messages,
                tasks: sum.tasks + tasks,
                blobs: sum.blobs + blobs,
                ..sum
            }
        })
    }
}

fn matches(query: &InstanceQuery, key: &InstanceKey, record: &Record) -> bool {
    key.namespace == query.namespace
        && query.app.as_ref().is_none_or(|app| *app == key.app)
        && (query.workflow.as_ref()).is_none_or(|name| name == record.workflow())
        && (query.statuses.is_empty() || query.statuses.contains(&record.state.status))
        && key.id.starts_with(&query.id_prefix)
        && (query.parent.as_ref()).is_none_or(|parent| record.parent() == Some(parent))
}

fn absent(key: &InstanceKey) -> WorkflowStoreError {
    WorkflowStoreError::NotFound(format!("there is no {key}"))
}
