//! What a consumer and its leases share: the channel on which messages came, and those that wait here to be given out
//! again.

use super::{link::Live, message::Received, pubsub_error};
use berth_blocks::pubsub::PubSubError;
use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions},
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{runtime::Handle, sync::Notify, time::Instant};

/// Messages that may wait here for their delay, and their bytes. With more, the broker sends no others in their place.
const HELD_MAX: usize = 10_000;
const HELD_BYTES_MAX: usize = 64 << 20;

/// See the module's documentation. It ends when its channel does: the broker then gives all of it out again.
pub(super) struct Session {
    /// Distinguishes the sessions of a consumer.
    pub(super) number: u64,
    pub(super) channel: Channel,
    live: Arc<Live>,
    runtime: Handle,
    waiting: Mutex<Waiting>,
    /// Something waits that did not before.
    pub(super) woken: Notify,
}

/// Messages that were handed back.
#[derive(Default)]
struct Waiting {
    /// The consumer is gone: what is handed back goes to the broker.
    ended: bool,
    ready: VecDeque<Received>,
    /// By the moment when they are due, and a number that tells equals apart.
    later: BTreeMap<(Instant, u64), Received>,
    later_bytes: usize,
    serial: u64,
    /// The present window; see [`Session::needs_window`].
    window: u64,
    /// How many of `later` came through it.
    held: usize,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(number: u64, live: Arc<Live>, channel: Channel) -> Self {
        Self {
            number,
            channel,
            live,
            runtime: Handle::current(),
            waiting: Mutex::default(),
            woken: Notify::new(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.live.is_up() && self.channel.status().connected()
    }

    pub(super) async fn acknowledge(&self, tag: u64) -> Result<(), PubSubError> {
        let acknowledged = self
            .channel
            .basic_ack(tag, BasicAckOptions::default())
            .await;
        acknowledged.map_err(|error| pubsub_error("acknowledging the message", &error))
    }

    /// A message is not handled: it is given out again here after `delay`, or by the broker if nobody fetches here.
    pub(super) fn give_back(self: &Arc<Self>, received: Received, delay: Duration) {
        {
            let mut waiting = self.waiting.lock();
            if !waiting.ended {
                waiting.put(received, delay);
                drop(waiting);
                return self.woken.notify_one();
            }
        }
        self.requeue(vec![received.tag]);
    }

    /// Gives messages to the broker, which gives them to whoever is there.
    pub(super) fn requeue(self: &Arc<Self>, tags: Vec<u64>) {
        let session = self.clone();
        self.runtime.spawn(async move {
            for tag in tags {
                let options = BasicNackOptions {
                    requeue: true,
                    ..BasicNackOptions::default()
                };
                if session.channel.basic_nack(tag, options).await.is_err() {
                    // The channel has ended, and the broker has them all.
                    return;
                }
            }
        });
    }

    /// A message that is due.
    pub(super) fn take(&self) -> Option<Received> {
        let mut waiting = self.waiting.lock();
        while let Some(due) = waiting.later.first_entry() {
            if due.key().0 > Instant::now() {
                break;
            }
            let received = due.remove();
            waiting.later_bytes -= received.size();
            if received.window == waiting.window {
                waiting.held -= 1;
            }
            waiting.ready.push_back(received);
        }
        waiting.ready.pop_front()
    }

    /// When the next message is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let waiting = self.waiting.lock();
        waiting.later.first_key_value().map(|((due, _), _)| *due)
    }

    /// The broker sends as many messages as its window has room for, and those that wait here take up room: a few that
    /// fail again and again would stop all others. Once they fill half a window, the consumer opens a new one.
    pub(super) fn needs_window(&self, size: u16) -> bool {
        let waiting = self.waiting.lock();
        waiting.held * 2 >= usize::from(size)
            && waiting.later.len() < HELD_MAX
            && waiting.later_bytes < HELD_BYTES_MAX
    }

    /// From now on messages come through a new window; its number.
    pub(super) fn open_window(&self) -> u64 {
        let mut waiting = self.waiting.lock();
        waiting.window += 1;
        waiting.held = 0;
        waiting.window
    }

    /// Nobody fetches any more. Called when the broker knows it too: else it would send what it gets back to the same
    /// consumer again, and count that.
    pub(super) fn end(self: &Arc<Self>) {
        let tags = {
            let mut waiting = self.waiting.lock();
            waiting.ended = true;
            let ready = std::mem::take(&mut waiting.ready);
            let later = std::mem::take(&mut waiting.later);
            ready
                .into_iter()
                .chain(later.into_values())
                .map(|received| received.tag)
                .collect()
        };
        self.requeue(tags);
    }
}

impl Waiting {
    fn put(&mut self, received: Received, delay: Duration) {
        if delay.is_zero() {
            return self.ready.push_back(received);
        }
        self.serial += 1;
        self.later_bytes += received.size();
        if received.window == self.window {
            self.held += 1;
        }
        self.later
            .insert((Instant::now() + delay, self.serial), received);
    }
}
