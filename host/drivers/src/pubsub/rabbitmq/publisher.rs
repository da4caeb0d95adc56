//! Publishing: one channel, on which the confirms of many calls are under way at the same time.

use super::{
    CALL_TIMEOUT,
    layout::{self, name},
    link::{Link, Live},
    message::Outbound,
    metadata::Settings,
    pubsub_error,
};
use berth_blocks::pubsub::{OutboundMessage, PubSubError};
use lapin::{
    Channel, Confirmation, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use parking_lot::Mutex;
use std::{collections::HashSet, future::poll_fn, pin::pin, sync::Arc, task::Poll};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// Kibibytes of messages that may wait for their confirms; a message counts as one at least. Publishers wait beyond.
const UNCONFIRMED_MAX: u32 = 64 << 10;
/// Topics that are remembered as declared.
const DECLARED_MAX: usize = 10_000;

/// See the module's documentation.
pub(super) struct Publisher {
    link: Arc<Link>,
    settings: Arc<Settings>,
    outlet: Mutex<Option<Arc<Outlet>>>,
    /// Held while a channel is opened.
    opening: tokio::sync::Mutex<()>,
    room: Arc<Semaphore>,
}

/// An open channel.
struct Outlet {
    live: Arc<Live>,
    channel: Channel,
    declared: Mutex<HashSet<Declared>>,
    /// Held while the client numbers a message and queues it; see [`Outlet::in_turn`].
    turn: Mutex<()>,
}

/// What exists as far as this channel knows.
#[derive(PartialEq, Eq, Hash)]
enum Declared {
    Topic(ShortString),
    Retained(ShortString),
}

impl Publisher {
    pub(super) fn new(link: Arc<Link>, settings: Arc<Settings>) -> Self {
        Self {
            link,
            settings,
            outlet: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            room: Arc::new(Semaphore::new(UNCONFIRMED_MAX as usize)),
        }
    }

    /// Returns when the broker has confirmed the message.
    pub(super) async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        let topic = name(&message.topic, "the topic")?;
        let outbound = Outbound::new(&message, self.settings.delivery_mode, self.settings.ttl)?;
        let deadline = Instant::now() + CALL_TIMEOUT;
        let sent = timeout_at(deadline, self.send(&topic, &message, outbound)).await;
        let mut sent = sent.unwrap_or_else(|_| Err(self.not_taken()))?;
        timeout_at(deadline, sent.confirmed())
            .await
            .unwrap_or_else(|_| {
                Err(PubSubError::Timeout(format!(
                    "RabbitMQ does not confirm the message within {CALL_TIMEOUT:?}; it may have it"
                )))
            })
    }

    async fn send(
        &self,
        topic: &ShortString,
        message: &OutboundMessage,
        outbound: Outbound,
    ) -> Result<Sent<'_>, PubSubError> {
        let outlet = self.outlet().await?;
        self.declare(&outlet, topic, message).await?;
        let room = self.room(message.data.len()).await?;
        let mut sent = Sent {
            publisher: self,
            outlet: outlet.clone(),
            confirm: None,
            room: Some(room),
            finished: false,
        };
        let publish = outlet.channel.basic_publish(
            topic.clone(),
            outbound.routing_key,
            BasicPublishOptions::default(),
            &message.data,
            outbound.properties,
        );
        let confirm = outlet.in_turn(publish).await;
        sent.confirm = Some(confirm.map_err(|error| pubsub_error("publishing", &error))?);
        Ok(sent)
    }

    async fn declare(
        &self,
        outlet: &Outlet,
        topic: &ShortString,
        message: &OutboundMessage,
    ) -> Result<(), PubSubError> {
        let key = Declared::Topic(topic.clone());
        if !outlet.declared.lock().contains(&key) {
            layout::declare_topic(&outlet.live, topic, &self.settings).await?;
            outlet.remember(key);
        }
        let Some(retain) = message.retain else {
            return Ok(());
        };
        let key = Declared::Retained(topic.clone());
        if !outlet.declared.lock().contains(&key) {
            layout::declare_retained(&outlet.live, topic, retain).await?;
            outlet.remember(key);
        }
        Ok(())
    }

    /// Waits while too much is unconfirmed.
    async fn room(&self, length: usize) -> Result<OwnedSemaphorePermit, PubSubError> {
        let size = u32::try_from(length / 1024 + 1).unwrap_or(u32::MAX);
        let room = self
            .room
            .clone()
            .acquire_many_owned(size.min(UNCONFIRMED_MAX));
        room.await
            .map_err(|_| PubSubError::Other("the publisher is closed".to_owned()))
    }

    async fn outlet(&self) -> Result<Arc<Outlet>, PubSubError> {
        if let Some(outlet) = self.current() {
            return Ok(outlet);
        }
        let _opening = self.opening.lock().await;
        if let Some(outlet) = self.current() {
            return Ok(outlet);
        }
        let live = self.link.live().await.map_err(PubSubError::Unavailable)?;
        let channel = live.channel().await?;
        if self.settings.confirm {
            let select = channel.confirm_select(ConfirmSelectOptions::default());
            select
                .await
                .map_err(|error| pubsub_error("asking for confirms", &error))?;
        }
        let outlet = Arc::new(Outlet {
            live,
            channel,
            declared: Mutex::default(),
            turn: Mutex::default(),
        });
        *self.outlet.lock() = Some(outlet.clone());
        Ok(outlet)
    }

    fn current(&self) -> Option<Arc<Outlet>> {
        let outlet = self.outlet.lock();
        outlet.as_ref().filter(|outlet| outlet.is_up()).cloned()
    }

    /// The next call opens another channel; calls that wait for their confirms keep this one.
    fn discard(&self, outlet: &Arc<Outlet>) {
        let mut current = self.outlet.lock();
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, outlet))
        {
            *current = None;
        }
    }

    fn not_taken(&self) -> PubSubError {
        let outlet = self.outlet.lock();
        let why = if outlet
            .as_ref()
            .is_some_and(|outlet| outlet.live.is_blocked())
        {
            "it is short of memory or disk and takes none"
        } else {
            "it does not answer"
        };
        PubSubError::Unavailable(format!(
            "RabbitMQ did not get the message within {CALL_TIMEOUT:?}: {why}"
        ))
    }
}

impl Outlet {
    fn is_up(&self) -> bool {
        self.live.is_up() && self.channel.status().connected()
    }

    /// Publishes so that the client's numbers are those of the broker. The client numbers a message and queues it in the
    /// first poll, in two steps: two threads between them would get the confirms of each other, and a message that never
    /// left would count as confirmed.
    async fn in_turn<T>(&self, publish: impl Future<Output = T>) -> T {
        let mut publish = pin!(publish);
        let first = poll_fn(|context| {
            let _turn = self.turn.lock();
            Poll::Ready(publish.as_mut().poll(context))
        });
        match first.await {
            Poll::Ready(sent) => sent,
            Poll::Pending => publish.await,
        }
    }

    fn remember(&self, declared: Declared) {
        let mut all = self.declared.lock();
        // To declare again costs a round trip and harms nothing.
        if all.len() >= DECLARED_MAX {
            all.clear();
        }
        all.insert(declared);
    }
}

/// A message on its way.
struct Sent<'p> {
    publisher: &'p Publisher,
    outlet: Arc<Outlet>,
    /// Absent until the client has taken the message.
    confirm: Option<PublisherConfirm>,
    room: Option<OwnedSemaphorePermit>,
    finished: bool,
}

impl Sent<'_> {
    async fn confirmed(&mut self) -> Result<(), PubSubError> {
        let Some(confirm) = &mut self.confirm else {
            return Ok(());
        };
        let answer = confirm.await;
        self.confirm = None;
        // A channel that failed is not used again.
        self.finished = answer.is_ok();
        match answer {
            Ok(Confirmation::Ack(_) | Confirmation::NotRequested) => Ok(()),
            Ok(Confirmation::Nack(_)) => Err(PubSubError::Unavailable(
                "RabbitMQ could not store the message".to_owned(),
            )),
            Err(error) => Err(pubsub_error("publishing", &error)),
        }
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let (Some(confirm), Ok(runtime)) = (self.confirm.take(), Handle::try_current()) else {
            // Given up while it was sent, or failed: what the channel still knows of it goes with the channel.
            return self.publisher.discard(&self.outlet);
        };
        // The caller gave up, but the message takes room until the broker confirms it or the channel ends.
        let room = self.room.take();
        runtime.spawn(async move {
            let _ = confirm.await;
            drop(room);
        });
    }
}
