//! Cleans up after instances that ended, and finds those that do not move.

use super::{Engine, Shared};
use berth_blocks::workflow::{InstanceKey, MessageId, Release, Timestamp};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

/// Rounds between two looks for instances that the store says are ours.
const SURVEY_ROUNDS: u64 = 6;

/// Instances purged at once.
const PURGED_MAX: usize = 200;

/// An instance that this host owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedInstance {
    /// Which one.
    pub key: InstanceKey,
    /// It waits for something outside; else it should be moving.
    pub waits: bool,
    /// Since when it has been doing that.
    pub since: Timestamp,
}

/// An instance that should be moving and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// Which one.
    pub key: InstanceKey,
    /// Since when.
    pub since: Timestamp,
}

impl Engine {
    /// The instances that this host owns.
    #[must_use]
    pub fn owned(&self) -> Vec<OwnedInstance> {
        let all = self.shared.owned.lock().all().into_iter();
        all.map(|instance| {
            let seen = instance.seen();
            OwnedInstance {
                key: instance.key.clone(),
                waits: seen.waits,
                since: seen.since,
            }
        })
        .collect()
    }

    /// Owned instances that have neither moved nor waited for anything for long.
    #[must_use]
    pub fn overdue(&self) -> Vec<Overdue> {
        overdue(&self.shared)
    }
}

fn overdue(shared: &Shared) -> Vec<Overdue> {
    let now = shared.platform.now();
    let all = shared.owned.lock().all().into_iter();
    all.filter_map(|instance| {
        let seen = instance.seen();
        let long = seen.since.after(shared.config.stuck_after) <= now;
        (!seen.waits && long).then(|| Overdue {
            key: instance.key.clone(),
            since: seen.since,
        })
    })
    .collect()
}

/// One round after the other.
pub(super) async fn serve(shared: Arc<Shared>) {
    let mut reported = BTreeSet::new();
    let mut undriven = BTreeSet::new();
    let mut rounds = 0_u64;
    loop {
        let next = shared
            .platform
            .now()
            .after(shared.config.housekeeping_interval);
        shared.platform.sleep_until(next).await;
        purge(&shared).await;
        if shared.doubtful.swap(false, Ordering::Relaxed) {
            clear_doubts(&shared).await;
        }
        rounds += 1;
        // A store of this host alone ends with it.
        if shared.config.inbox_interval.is_some() && rounds.is_multiple_of(SURVEY_ROUNDS) {
            undriven = survey(&shared, &undriven).await;
        }
        report(&shared, &mut reported);
    }
}

async fn purge(shared: &Shared) {
    loop {
        let purged = shared
            .store
            .purge_expired(shared.platform.now(), PURGED_MAX)
            .await;
        match purged {
            Ok(PURGED_MAX) => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "purging workflow instances");
                return;
            }
        }
    }
}

/// Gives up what nobody here drives although the store has said for long that it is ours: a server that lost its last
/// writes may have forgotten that it was given up, and nobody else takes it while this host lives. Gives what nobody
/// drives now.
async fn survey(
    shared: &Shared,
    before: &BTreeSet<(InstanceKey, u64)>,
) -> BTreeSet<(InstanceKey, u64)> {
    let Ok(owned) = shared.store.owned(&shared.owner).await else {
        return BTreeSet::new();
    };
    let is_driven = |key: &InstanceKey| shared.owned.lock().find(key).is_some();
    let undriven: BTreeSet<_> = owned
        .into_iter()
        .filter(|(key, _)| !is_driven(key))
        .collect();
    for (key, epoch) in undriven.intersection(before) {
        tracing::warn!(instance = %key, "owned and not driven: given up, to be claimed again");
        give_up(shared, key, *epoch).await;
    }
    undriven
}

async fn give_up(shared: &Shared, key: &InstanceKey, epoch: u64) {
    let now = shared.platform.now();
    let release = Release {
        ready_at: Some(now),
        seen: MessageId::START,
        now,
    };
    if shared.store.release(key, epoch, release).await.is_err() {
        shared.doubt();
    }
    shared.claims.notify_one();
}

/// Gives up what the store says is ours and nobody here drives. One that is just being adopted is fenced off and
/// claimed again, which costs nothing but time.
async fn clear_doubts(shared: &Shared) {
    let owned = match shared.store.owned(&shared.owner).await {
        Ok(owned) => owned,
        Err(_) => return shared.doubt(),
    };
    for (key, epoch) in owned {
        if shared.owned.lock().find(&key).is_some() {
            continue;
        }
        give_up(shared, &key, epoch).await;
    }
    shared.claims.notify_one();
}

/// Says once of each instance that it is stuck.
fn report(shared: &Shared, reported: &mut BTreeSet<InstanceKey>) {
    let overdue = overdue(shared);
    metrics::gauge!("berth_workflow_instances_owned").set(shared.owned.lock().len() as f64);
    metrics::gauge!("berth_workflow_instances_stuck").set(overdue.len() as f64);
    reported.retain(|key| overdue.iter().any(|overdue| overdue.key == *key));
    for Overdue { key, since } in overdue {
        if reported.insert(key.clone()) {
            let for_long = since.until(shared.platform.now());
            tracing::warn!(instance = %key, "has neither moved nor waited for anything for {for_long:?}");
        }
    }
}
