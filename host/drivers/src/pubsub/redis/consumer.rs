//! A running subscription: new messages by `XREADGROUP` on a connection of its own, and now and then a look for those
//! that somebody handed back or left behind.

use super::{
    entry::{self, Entry},
    lease,
    member::{LOOK, Member, Terms},
    server::{Server, pubsub_error},
};
use crate::redis::Dedicated;
use async_trait::async_trait;
use berth_blocks::pubsub::{Consumer, InboundMessage, PubSubError, SubscribeRequest};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// How long the server waits for new messages before it answers that there are none. A consumer that leaves waits for
/// that answer, so that no message is given to somebody who is gone.
const BLOCK: Duration = Duration::from_secs(1);

/// Messages that are under way to this consumer; they arrive whether or not somebody waits for them.
type Fetch = JoinHandle<Result<Fetched, PubSubError>>;

struct Fetched {
    entries: Vec<Entry>,
    at: Instant,
}

/// A member of a group that takes messages.
pub(super) struct RedisConsumer {
    member: Arc<Member>,
    /// For one read at a time.
    connection: Arc<Mutex<Dedicated>>,
    prefetch: usize,
    /// Places for leases; each lease holds one.
    places: Arc<Semaphore>,
    /// Fetched and not yet given out: what came after its caller had gone away.
    arrived: VecDeque<(Entry, Instant)>,
    reading: Option<Fetch>,
    looking: Option<Fetch>,
    next_look: Instant,
    next_look_for_dead: Instant,
}

impl RedisConsumer {
    pub(super) async fn join(
        server: &Server,
        request: &SubscribeRequest,
        terms: Terms,
    ) -> Result<Self, PubSubError> {
        let connection = server.dedicated(&request.topic).await?;
        let (stream, group) = (&request.topic, &request.group);
        let member = Member::join(server.clone(), stream, group, terms).await?;
        let prefetch = request.prefetch.clamp(1, Semaphore::MAX_PERMITS);
        let now = Instant::now();
        Ok(Self {
            member,
            connection: Arc::new(Mutex::new(connection)),
            prefetch,
            places: Arc::new(Semaphore::new(prefetch)),
            arrived: VecDeque::new(),
            reading: None,
            looking: None,
            next_look: now,
            next_look_for_dead: now,
        })
    }

    fn read(&self, room: usize) -> Fetch {
        let (member, connection) = (self.member.clone(), self.connection.clone());
        self.member.runtime.spawn(async move {
            let mut read = redis::cmd("XREADGROUP");
            read.arg("GROUP").arg(&member.group).arg(&member.name);
            read.arg("COUNT").arg(room);
            read.arg("BLOCK").arg(BLOCK.as_millis().to_string());
            read.arg("STREAMS").arg(&member.stream).arg(">");
            let patience = member.server.patience(BLOCK);
            let answer = connection.lock().await.call(&read, patience).await;
            let answer = answer.map_err(pubsub_error)?;
            let at = Instant::now();
            Ok(Fetched {
                entries: entry::read_by_group(answer)?,
                at,
            })
        })
    }

    fn look(&mut self, room: usize, now: Instant) -> Fetch {
        self.member.pass_due(now);
        self.next_look = now + LOOK;
        let mut dead = false;
        if let Some(redelivery) = self.member.terms.redelivery {
            dead = self.next_look_for_dead <= now;
            if dead {
                self.next_look_for_dead = now + redelivery.every;
            }
            self.next_look = self.next_look.min(self.next_look_for_dead);
        }
        let member = self.member.clone();
        self.member.runtime.spawn(async move {
            let entries = member.look(room, dead).await?;
            Ok(Fetched {
                entries,
                at: Instant::now(),
            })
        })
    }

    fn look_at(&self) -> Instant {
        let due = self.member.next_due();
        due.map_or(self.next_look, |due| due.min(self.next_look))
    }

    fn arrive(&mut self, fetched: Fetched) {
        let arrived = fetched.entries.into_iter();
        self.arrived
            .extend(arrived.map(|entry| (entry, fetched.at)));
    }

    /// What has arrived and has a place, at most `max`. What has none, or may be with others by now, goes back.
    fn give_out(&mut self, max: usize) -> Vec<InboundMessage> {
        let mut messages = Vec::with_capacity(self.arrived.len().min(max));
        // Half of the lease is left to the handler.
        let fresh = self.member.lease_duration().map(|lease| lease / 2);
        while messages.len() < max
            && let Some((entry, at)) = self.arrived.pop_front()
        {
            let place = self.places.clone().try_acquire_owned();
            match place {
                Ok(place) if fresh.is_none_or(|fresh| at.elapsed() < fresh) => {
                    messages.push(lease::inbound(entry, &self.member, place));
                }
                _ => self.member.hand_back([entry]),
            }
        }
        let room = self.places.available_permits().min(self.arrived.len());
        let excess = self.arrived.split_off(room).into_iter();
        self.member.hand_back(excess.map(|(entry, _)| entry));
        messages
    }

    /// Waits until something has arrived or it is time to look.
    async fn wait(&mut self) -> Result<(), PubSubError> {
        let look_at = self.look_at();
        let fetched = tokio::select! {
            fetched = arrival(&mut self.looking) => fetched?,
            fetched = arrival(&mut self.reading) => fetched?,
            () = sleep_until(look_at), if self.looking.is_none() => return Ok(()),
            () = self.member.released.notified() => return Ok(()),
        };
        self.arrive(fetched);
        Ok(())
    }

    /// Asks for messages if it is time to. Looking comes first, so that both together seldom bring too many.
    fn fetch(&mut self, max: usize) {
        let room = self.places.available_permits();
        let room = room.min(max).min(self.member.terms.batch);
        let now = Instant::now();
        if self.looking.is_none() && self.look_at() <= now {
            self.looking = Some(self.look(room, now));
        }
        if self.reading.is_none() && self.looking.is_none() {
            self.reading = Some(self.read(room));
        }
    }
}

/// What a fetch brought; never without a fetch.
async fn arrival(fetch: &mut Option<Fetch>) -> Result<Fetched, PubSubError> {
    let Some(running) = fetch else {
        return std::future::pending().await;
    };
    let fetched = running.await;
    *fetch = None;
    let closed = |_| PubSubError::Unavailable("the host is shutting down".to_owned());
    fetched.map_err(closed)?
}

#[async_trait]
impl Consumer for RedisConsumer {
    /// Dropped while it waits, what was asked for arrives for the next call, or goes back if there is none in time.
    async fn receive(&mut self, max: usize) -> Result<Vec<InboundMessage>, PubSubError> {
        let max = max.clamp(1, self.prefetch);
        loop {
            let closed = |_| PubSubError::Other("the subscription has ended".to_owned());
            drop(self.places.acquire().await.map_err(closed)?);
            let messages = self.give_out(max);
            if !messages.is_empty() {
                return Ok(messages);
            }
            self.fetch(max);
            self.wait().await?;
        }
    }
}

/// Hands back what has arrived or still arrives; the member leaves the group when its last lease is answered.
impl Drop for RedisConsumer {
    fn drop(&mut self) {
        let arrived = std::mem::take(&mut self.arrived).into_iter();
        self.member.hand_back(arrived.map(|(entry, _)| entry));
        for fetch in [self.reading.take(), self.looking.take()]
            .into_iter()
            .flatten()
        {
            let member = self.member.clone();
            self.member.runtime.spawn(async move {
                if let Ok(Ok(fetched)) = fetch.await {
                    member.hand_back(fetched.entries);
                }
            });
        }
    }
}
