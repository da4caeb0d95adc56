//! The store as one host reaches it: slow, at times failing, at times leaving open whether it did what it was asked; and
//! with mistakes built in, to see whether the simulation finds them. It also watches what gets written.

use crate::disk::Disk;
use crate::world::{Life, World, at_once};
use async_trait::async_trait;
use berth_blocks::workflow::*;
use berth_resources::{AppId, Namespace};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// None.
    None,
    /// Epoch and version are not looked at.
    NoFencing,
    /// A commit is acknowledged before it is applied.
    EarlyAcknowledgement,
    /// Messages to other instances are left out of commits.
    LostSends,
    /// Messages stay in the inbox when they were taken in.
    NotConsumed,
    /// The IDs of messages are not looked at.
    NoDeduplication,
    /// Payloads beside the history are left out of commits.
    LostBlobs,
    /// A released instance does not look for messages that came meanwhile.
    ForgetfulRelease,
    /// Queued activities are left out of commits.
    LostTasks,
    /// A purge leaves blobs and events of children behind: it does nothing.
    NoPurge,
}

/// What was seen of all writes.
#[derive(Debug, Default)]
pub struct Watch {
    /// Greatest epoch in which each run of an instance was written.
    epochs: BTreeMap<InstanceKey, u64>,
    /// Rules that were broken.
    pub violations: Vec<String>,
    /// Faults that happened.
    pub faults: u64,
}

/// What can go wrong, of a thousand calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct FaultRates {
    /// The call fails and did nothing.
    pub refused: u64,
    /// The call fails after it did what it was asked.
    pub unknown: u64,
    /// It takes seconds.
    pub slow: u64,
}

/// A faulty way to a store.
pub struct FaultyStore {
    pub disk: Disk,
    pub world: World,
    pub life: Life,
    pub mutation: Mutation,
    pub rates: Arc<Mutex<FaultRates>>,
    pub watch: Arc<Mutex<Watch>>,
}

type Answer<T> = Result<T, WorkflowStoreError>;

impl FaultyStore {
    async fn call<T>(&self, name: &str, apply: impl FnOnce() -> Answer<T>) -> Answer<T> {
        self.delay().await;
        let rates = *self.rates.lock();
        let (refused, unknown) = self
            .world
            .with_rng(|rng| (rng.chance(rates.refused), rng.chance(rates.unknown)));
        if refused || unknown {
            self.watch.lock().faults += 1;
        }
        if refused {
            return Err(WorkflowStoreError::Unavailable(format!(
                "{name}: refused by the simulation"
            )));
        }
        let answer = apply();
        self.delay().await;
        if unknown && answer.is_ok() {
            return Err(WorkflowStoreError::Unavailable(format!(
                "{name}: lost by the simulation"
            )));
        }
        answer
    }

    async fn delay(&self) {
        let slow = self.rates.lock().slow;
        let millis = self.world.with_rng(|rng| match rng.below(4) {
            _ if rng.chance(slow) => rng.between(500, 8_000),
            0 => rng.below(6),
            _ => 0,
        });
        if millis > 0 {
            self.world.sleep(millis).await;
        }
    }

    /// What every applied commit must fulfil.
    fn watch_commit(&self, commit: &Commit, before: &InstanceRow) {
        let mut watch = self.watch.lock();
        let key = &commit.key;
        let mut violation = |text: String| watch.violations.push(text);
        if before.state.status.is_terminal() {
            violation(format!(
                "I9: {key:?} was {} and was written again",
                before.state.status
            ));
        }
        let next = if commit.restart.is_some() {
            0
        } else {
            before.events
        };
        for (event, seq) in commit.events.iter().zip(next..) {
            if event.seq != seq {
                violation(format!(
                    "I3: {key:?} got event {} in place {seq}",
                    event.seq
                ));
            }
        }
        let seen = watch.epochs.entry(key.clone()).or_default();
        if commit.epoch < *seen {
            let text = format!(
                "I6: {key:?} was written in epoch {} after {seen}",
                commit.epoch
            );
            watch.violations.push(text);
        } else {
            *seen = commit.epoch;
        }
    }

    fn apply_commit(&self, mut commit: Commit) -> Answer<u64> {
        let before = at_once(self.disk.get(&commit.key))?;
        let written = commit.clone();
        match (self.mutation, &before) {
            (Mutation::NoFencing, Some(row)) => {
                commit.epoch = row.epoch;
                commit.version = row.version;
            }
            (Mutation::LostSends, _) => commit.sends.clear(),
            (Mutation::NotConsumed, _) => commit.consumed.clear(),
            (Mutation::LostBlobs, _) => commit.blobs.clear(),
            (Mutation::LostTasks, _) => commit.tasks.clear(),
            _ => {}
        }
        let version = at_once(self.disk.commit(commit))?;
        if let Some(before) = before {
            self.watch_commit(&written, &before);
        }
        Ok(version)
    }
}

#[async_trait]
impl WorkflowStore for FaultyStore {
    async fn join(&self, owner: &str, now: Timestamp, until: Timestamp) -> Answer<()> {
        at_once(self.disk.join(owner, now, until))
    }

    async fn renew(&self, owner: &str, until: Timestamp) -> Answer<()> {
        self.call("renew", || at_once(self.disk.renew(owner, until)))
            .await
    }

    async fn leave(&self, owner: &str) -> Answer<()> {
        self.call("leave", || at_once(self.disk.leave(owner))).await
    }

    async fn create(&self, instance: NewInstance, replaces: &[Status]) -> Answer<Created> {
        self.call("create", || at_once(self.disk.create(instance, replaces)))
            .await
    }

    async fn claim(&self, request: ClaimRequest) -> Answer<Claims> {
        self.call("claim", || at_once(self.disk.claim(request)))
            .await
    }

    async fn owned(&self, owner: &str) -> Answer<Vec<(InstanceKey, u64)>> {
        self.call("owned", || at_once(self.disk.owned(owner))).await
    }

    async fn commit(&self, commit: Commit) -> Answer<u64> {
        if self.mutation == Mutation::EarlyAcknowledgement {
            let version = commit.version + 1;
            let store = Self {
                disk: self.disk.clone(),
                world: self.world.clone(),
                life: self.life,
                mutation: self.mutation,
                rates: self.rates.clone(),
                watch: self.watch.clone(),
            };
            // Lost when the host crashes.
            self.world.spawn(
                self.life,
                Box::pin(async move {
                    store.delay().await;
                    drop(store.apply_commit(commit));
                }),
            );
            return Ok(version);
        }
        self.call("commit", || self.apply_commit(commit)).await
    }

    async fn release(&self, key: &InstanceKey, epoch: u64, release: Release) -> Answer<()> {
        let release = Release {
            seen: match self.mutation {
                Mutation::ForgetfulRelease => MessageId(i64::MAX),
                _ => release.seen,
            },
            ..release
        };
        self.call("release", || {
            at_once(self.disk.release(key, epoch, release))
        })
        .await
    }

    async fn history(&self, key: &InstanceKey, from: u64, limit: usize) -> Answer<Vec<EventRow>> {
        self.call("history", || at_once(self.disk.history(key, from, limit)))
            .await
    }

    async fn blob(&self, key: &InstanceKey, digest: &str) -> Answer<Option<Bytes>> {
        self.call("blob", || at_once(self.disk.blob(key, digest)))
            .await
    }

    async fn send(&self, to: &InstanceKey, mut message: Message) -> Answer<Sent> {
        if self.mutation == Mutation::NoDeduplication {
            message.dedup = None;
        }
        self.call("send", || at_once(self.disk.send(to, message)))
            .await
    }

    async fn inbox(
        &self,
        key: &InstanceKey,
        after: MessageId,
        limit: usize,
    ) -> Answer<Vec<StoredMessage>> {
        self.call("inbox", || at_once(self.disk.inbox(key, after, limit)))
            .await
    }

    async fn get(&self, key: &InstanceKey) -> Answer<Option<InstanceRow>> {
        self.call("get", || at_once(self.disk.get(key))).await
    }

    async fn list(&self, query: InstanceQuery) -> Answer<InstancePage> {
        self.call("list", || at_once(self.disk.list(query))).await
    }

    async fn purge(&self, key: &InstanceKey, force: bool) -> Answer<bool> {
        if self.mutation == Mutation::NoPurge {
            return Ok(true);
        }
        self.call("purge", || at_once(self.disk.purge(key, force)))
            .await
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Answer<usize> {
        self.call("purge_expired", || {
            at_once(self.disk.purge_expired(now, limit))
        })
        .await
    }

    async fn wake_stalled(
        &self,
        namespace: &Namespace,
        app: &AppId,
        now: Timestamp,
    ) -> Answer<usize> {
        self.call("wake_stalled", || {
            at_once(self.disk.wake_stalled(namespace, app, now))
        })
        .await
    }

    async fn codes(&self, namespace: &Namespace, app: &AppId) -> Answer<Vec<String>> {
        self.call("codes", || at_once(self.disk.codes(namespace, app)))
            .await
    }

    async fn claim_tasks(
        &self,
        apps: &[(Namespace, AppId)],
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Answer<Vec<ClaimedTask>> {
        self.call("claim_tasks", || {
            at_once(self.disk.claim_tasks(apps, now, until, limit))
        })
        .await
    }

    async fn renew_tasks(&self, tasks: &[TaskId], until: Timestamp) -> Answer<Vec<TaskId>> {
        self.call("renew_tasks", || {
            at_once(self.disk.renew_tasks(tasks, until))
        })
        .await
    }

    async fn finish_task(&self, task: &TaskId, result: Message) -> Answer<bool> {
        self.call("finish_task", || {
            at_once(self.disk.finish_task(task, result))
        })
        .await
    }

    async fn ping(&self) -> Answer<()> {
        Ok(())
    }
}
