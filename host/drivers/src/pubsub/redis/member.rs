//! A member of a consumer group: what it may do with the group's messages.

use super::{
    acknowledgements::Acknowledgements,
    entry::{self, Entry},
    id::StreamId,
    scripts::{self, Script},
    server::Server,
};
use berth_blocks::pubsub::{Attempt, PubSubError};
use parking_lot::Mutex;
use redis::Value;
use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::Notify, time::Instant};
use uuid::Uuid;

/// How often a member looks for messages that others have handed back.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Moments at which a message that this member released is due; further ones are found by looking.
const DUE_MAX: usize = 1_000;
/// Waits after failed attempts to leave a group: its members get what the consumer held sooner than by taking it over.
const LEAVE_WAITS_MILLIS: [u64; 5] = [100, 200, 400, 800, 1_600];
/// Delays are told apart by powers of two, from this one: that bounds the number of consumers that hold messages back.
const DELAY_MIN_MILLIS: u64 = 64;

/// How messages of others are taken over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Redelivery {
    /// Whoever has been silent about a message for so long has lost it.
    pub(super) processing_timeout: Duration,
    /// How often to look for such messages.
    pub(super) every: Duration,
}

/// What all members of a backend have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) redelivery: Option<Redelivery>,
    /// Messages that are fetched at once.
    pub(super) batch: usize,
    /// How long an empty consumer of a host that died stays in the group.
    pub(super) gone: Duration,
}

/// Shared by a consumer and the leases that it gave out. The last of them leaves the group.
pub(super) struct Member {
    pub(super) server: Server,
    pub(super) stream: String,
    pub(super) group: String,
    /// Unique: a message is given out under the name of whoever answers for it.
    pub(super) name: String,
    pub(super) terms: Terms,
    pub(super) acknowledgements: Acknowledgements,
    /// When messages that this member released come again.
    due: Mutex<BinaryHeap<Reverse<Instant>>>,
    /// Notified when `due` has changed.
    pub(super) released: Notify,
    pub(super) runtime: Handle,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("stream", &self.stream)
            .field("group", &self.group)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Member {
    /// Joins a group, made with its stream if they are not there.
    pub(super) async fn join(
        server: Server,
        stream: &str,
        group: &str,
        terms: Terms,
    ) -> Result<Arc<Self>, PubSubError> {
        server.make_group(stream, group).await?;
        Ok(Arc::new(Self {
            server,
            stream: stream.to_owned(),
            group: group.to_owned(),
            name: format!("{}{}", scripts::CONSUMER_PREFIX, Uuid::new_v4()),
            terms,
            acknowledgements: Acknowledgements::default(),
            due: Mutex::default(),
            released: Notify::new(),
            runtime: Handle::current(),
        }))
    }

    pub(super) fn lease_duration(&self) -> Option<Duration> {
        let redelivery = self.terms.redelivery?;
        Some(redelivery.processing_timeout)
    }

    /// Takes up to `room` messages that others have handed back or, if `dead`, left behind.
    pub(super) async fn look(&self, room: usize, dead: bool) -> Result<Vec<Entry>, PubSubError> {
        let silent = match self.terms.redelivery {
            Some(redelivery) if dead => millis(redelivery.processing_timeout).to_string(),
            _ => "-1".to_owned(),
        };
        let (room, gone) = (room.to_string(), millis(self.terms.gone).to_string());
        let arguments: [&str; 5] = [&self.group, &self.name, &room, &silent, &gone];
        entry::claimed(self.run(&scripts::LOOK, arguments).await?)
    }

    /// Starts the lease of a message anew.
    pub(super) async fn extend(&self, id: StreamId, deliveries: u64) -> Result<(), PubSubError> {
        self.give(id, deliveries, &self.name, 0, deliveries).await
    }

    /// Hands a message back to the group, to be taken by any member when the delay is over.
    pub(super) async fn release(
        &self,
        id: StreamId,
        deliveries: u64,
        delay: Duration,
        count: Attempt,
    ) -> Result<(), PubSubError> {
        let noted = match count {
            Attempt::Counted => deliveries,
            Attempt::NotCounted => deliveries.saturating_sub(1),
        };
        let (due_after, idle) = wait(delay);
        let holder = scripts::waiting_consumer(due_after);
        self.give(id, deliveries, &holder, idle, noted).await?;
        self.note_due(Instant::now() + Duration::from_millis(due_after - idle));
        Ok(())
    }

    async fn give(
        &self,
        id: StreamId,
        deliveries: u64,
        to: &str,
        idle: u64,
        noted: u64,
    ) -> Result<(), PubSubError> {
        let numbers = [deliveries, idle, noted].map(|number| number.to_string());
        let [deliveries, idle, noted] = &numbers;
        let id = id.to_string();
        let arguments: [&str; 7] = [&self.group, &self.name, &id, deliveries, to, idle, noted];
        match self.run(&scripts::MOVE, arguments).await? {
            Value::Int(1) => Ok(()),
            _ => Err(PubSubError::Other(format!(
                "the lease of message {id} was lost: it was acknowledged, or may be with another consumer"
            ))),
        }
    }

    async fn run<const N: usize>(
        &self,
        script: &Script,
        arguments: [&str; N],
    ) -> Result<Value, PubSubError> {
        let answer = self.server.script(script, &self.stream, &arguments);
        answer.await
    }

    /// Hands back messages that no handler saw, in the background.
    pub(super) fn hand_back(self: &Arc<Self>, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.release_later(entry.id, entry.deliveries, Attempt::NotCounted);
        }
    }

    /// Hands a message back in the background. If even that fails, it comes again when its lease has run out.
    pub(super) fn release_later(self: &Arc<Self>, id: StreamId, deliveries: u64, count: Attempt) {
        let member = self.clone();
        self.runtime.spawn(async move {
            if let Err(error) = member.release(id, deliveries, Duration::ZERO, count).await {
                tracing::debug!(%error, stream = member.stream, "handing back message {id}");
            }
        });
    }

    fn note_due(&self, moment: Instant) {
        let mut due = self.due.lock();
        if due.len() < DUE_MAX {
            due.push(Reverse(moment));
        }
        drop(due);
        self.released.notify_one();
    }

    /// When the next message that this member released comes again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self.due.lock();
        due.peek().map(|Reverse(moment)| *moment)
    }

    /// Forgets moments that have come.
    pub(super) fn pass_due(&self, now: Instant) {
        let mut due = self.due.lock();
        while due.peek().is_some_and(|Reverse(moment)| *moment <= now) {
            due.pop();
        }
    }
}

/// Leaves the group, if the server comes back soon. Else the consumer stays there, and those that look take its messages
/// over and remove it.
impl Drop for Member {
    fn drop(&mut self) {
        let take = std::mem::take::<String>;
        let (stream, group) = (take(&mut self.stream), take(&mut self.group));
        let (server, name) = (self.server.clone(), take(&mut self.name));
        self.runtime.spawn(async move {
            let member: [&str; 2] = [&group, &name];
            let mut waits = LEAVE_WAITS_MILLIS.into_iter();
            while let Err(error) = server.script(&scripts::LEAVE, &stream, &member).await {
                let passes = matches!(error, PubSubError::Unavailable(_) | PubSubError::Timeout(_));
                let Some(wait) = waits.next().filter(|_| passes) else {
                    tracing::debug!(%error, stream, "leaving a consumer group");
                    return;
                };
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
        });
    }
}

/// For how long a delayed message must be idle, and for how long it has been from the beginning.
fn wait(delay: Duration) -> (u64, u64) {
    let delay = millis(delay);
    if delay == 0 {
        return (0, 0);
    }
    let due_after = delay.max(DELAY_MIN_MILLIS).checked_next_power_of_two();
    let due_after = due_after.unwrap_or(delay);
    (due_after, due_after - delay)
}

/// Whole milliseconds, rounded up, within what a script's numbers hold exactly.
pub(super) fn millis(duration: Duration) -> u64 {
    const MOST: u128 = 1 << 52;
    let millis = duration.as_nanos().div_ceil(1_000_000).min(MOST);
    u64::try_from(millis).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_what_is_left_of_a_power_of_two() {
        let wait = |millis| wait(Duration::from_millis(millis));
        assert_eq!(wait(0), (0, 0));
        assert_eq!(wait(1), (64, 63));
        assert_eq!(wait(64), (64, 0));
        assert_eq!(wait(700), (1024, 324));
        assert_eq!(super::wait(Duration::from_nanos(1)), (64, 63));
        assert_eq!(super::wait(Duration::MAX), (1 << 52, 0));
    }
}
