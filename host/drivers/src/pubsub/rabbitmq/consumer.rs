//! A member of a consumer group.

use super::{
    CALL_TIMEOUT,
    layout::{self, QueuePlan},
    lease::RabbitLease,
    link::Link,
    message::Received,
    metadata::Settings,
    pubsub_error,
    session::Session,
    within_call,
};
use async_trait::async_trait;
use berth_blocks::pubsub::{Consumer, InboundMessage, PubSubError, SubscribeRequest};
use futures::{FutureExt, Stream, StreamExt, stream::SelectAll};
use lapin::{
    Channel,
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::Instant,
};

/// A running subscription. When its channel ends, one call fails and the next opens another.
pub(super) struct RabbitConsumer {
    link: Arc<Link>,
    settings: Arc<Settings>,
    plan: QueuePlan,
    /// Messages that the broker sends without an answer to any.
    window: u16,
    prefetch: usize,
    /// Places for leases; each lease holds one.
    places: Arc<Semaphore>,
    intake: Option<Intake>,
    sessions: u64,
}

impl RabbitConsumer {
    /// Makes topic and group if they are not there.
    pub(super) async fn join(
        link: Arc<Link>,
        settings: &Arc<Settings>,
        request: &SubscribeRequest,
    ) -> Result<Self, PubSubError> {
        let plan = QueuePlan::new(&request.topic, &request.group, settings, &request.metadata)?;
        let prefetch = if settings.single { 1 } else { request.prefetch };
        let prefetch = prefetch.clamp(1, Semaphore::MAX_PERMITS);
        let as_leased = u16::try_from(prefetch).unwrap_or(u16::MAX);
        let mut own = Self {
            link,
            settings: settings.clone(),
            plan,
            window: settings.prefetch.unwrap_or(as_leased),
            prefetch,
            places: Arc::new(Semaphore::new(prefetch)),
            intake: None,
            sessions: 0,
        };
        own.intake = Some(within_call(own.open()).await?);
        Ok(own)
    }

    async fn open(&self) -> Result<Intake, PubSubError> {
        let live = self.link.live().await.map_err(PubSubError::Unavailable)?;
        layout::declare_group(&live, &self.plan, &self.settings).await?;
        let channel = live.channel().await?;
        let limited = channel
            .basic_qos(self.window, BasicQosOptions::default())
            .await;
        limited.map_err(|error| pubsub_error("setting the prefetch count", &error))?;
        let consumer = consume(&channel, &self.plan.queue).await;
        let doing = || format!("consuming from the queue \"{}\"", self.plan.queue);
        let consumer = consumer.map_err(|error| pubsub_error(&doing(), &error))?;
        let session = Arc::new(Session::new(self.sessions, live, channel));
        Ok(Intake::new(
            session,
            self.plan.queue.clone(),
            self.window,
            consumer,
        ))
    }

    /// Waits for one free place and takes what else is free, at most `max`.
    async fn free_places(&self, max: usize) -> Result<OwnedSemaphorePermit, PubSubError> {
        let closed = |_| PubSubError::Other("the subscription has ended".to_owned());
        let mut places = self.places.clone().acquire_owned().await.map_err(closed)?;
        let more = self.places.available_permits().min(max.saturating_sub(1));
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if let Ok(more) = self.places.clone().try_acquire_many_owned(more) {
            places.merge(more);
        }
        Ok(places)
    }

    fn leave(&mut self) {
        let Some(intake) = self.intake.take() else {
            return;
        };
        self.sessions += 1;
        intake.end();
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn receive(&mut self, max: usize) -> Result<Vec<InboundMessage>, PubSubError> {
        let max = max.clamp(1, self.prefetch);
        let mut places = self.free_places(max).await?;
        if !self.intake.as_ref().is_some_and(Intake::is_up) {
            self.leave();
            self.intake = Some(within_call(self.open()).await?);
        }
        let Some(intake) = &mut self.intake else {
            return Err(PubSubError::Other("the subscription has ended".to_owned()));
        };
        let received = match intake.next(places.num_permits()).await {
            Ok(received) => received,
            Err(error) => {
                self.leave();
                return Err(error);
            }
        };
        let session = &intake.session;
        let leased = received.into_iter().filter_map(|received| {
            // There is a place for each message that was asked for.
            let place = places.split(1)?;
            let lease = |received| -> Box<dyn berth_blocks::pubsub::Lease> {
                Box::new(RabbitLease::new(session.clone(), received, place))
            };
            Some(received.into_inbound(session.number, lease))
        });
        Ok(leased.collect())
    }
}

/// Stops fetching; leases stay valid, and what was fetched and not given out goes back.
impl Drop for RabbitConsumer {
    fn drop(&mut self) {
        self.leave();
    }
}

type Opening = JoinHandle<Result<lapin::Consumer, lapin::Error>>;
type Deliveries = Pin<Box<dyn Stream<Item = (u64, Result<Delivery, lapin::Error>)> + Send + Sync>>;

/// What comes in through one session.
struct Intake {
    session: Arc<Session>,
    queue: ShortString,
    size: u16,
    /// The present window, and earlier ones whose last messages are still on their way.
    windows: SelectAll<Deliveries>,
    /// The broker's name for the present window.
    tag: ShortString,
    /// A new window that is being opened.
    opening: Option<Opening>,
    /// Messages that were handed back and new ones take turns.
    turn: Turn,
    /// Why nothing more comes.
    failure: Option<PubSubError>,
}

#[derive(Clone, Copy)]
enum Turn {
    New,
    Again,
}

impl Intake {
    fn new(
        session: Arc<Session>,
        queue: ShortString,
        size: u16,
        consumer: lapin::Consumer,
    ) -> Self {
        let mut own = Self {
            session,
            queue,
            size,
            windows: SelectAll::new(),
            tag: consumer.tag(),
            opening: None,
            turn: Turn::New,
            failure: None,
        };
        own.add(0, consumer);
        own
    }

    fn is_up(&self) -> bool {
        self.failure.is_none() && self.session.is_up()
    }

    fn add(&mut self, window: u64, consumer: lapin::Consumer) {
        self.tag = consumer.tag();
        self.windows
            .push(Box::pin(consumer.map(move |delivery| (window, delivery))));
    }

    /// Waits for at least one message, and takes at most `max`. Cancel safe.
    async fn next(&mut self, max: usize) -> Result<Vec<Received>, PubSubError> {
        let session = self.session.clone();
        loop {
            let mut woken = pin!(session.woken.notified());
            // Before looking, so that what is handed back after it is noticed.
            woken.as_mut().enable();
            let taken = self.take(max);
            if !taken.is_empty() {
                return Ok(taken);
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            self.start_window();
            let due = session.due();
            tokio::select! {
                delivery = self.windows.next() => {
                    if let Some(received) = self.read(delivery) {
                        let mut taken = vec![received];
                        taken.extend(self.take(max - 1));
                        return Ok(taken);
                    }
                }
                () = woken => {}
                () = until(due) => {}
                opened = opened(&mut self.opening) => {
                    self.opening = None;
                    self.finish_window(opened);
                }
            }
        }
    }

    /// What is there without waiting.
    fn take(&mut self, max: usize) -> Vec<Received> {
        let mut taken = Vec::new();
        let turns = match self.turn {
            Turn::New => [Turn::New, Turn::Again],
            Turn::Again => [Turn::Again, Turn::New],
        };
        self.turn = turns[1];
        for turn in turns {
            while taken.len() < max {
                let next = match turn {
                    Turn::Again => self.session.take(),
                    Turn::New => {
                        let ready = self.windows.next().now_or_never();
                        ready.and_then(|delivery| self.read(delivery))
                    }
                };
                let Some(received) = next else { break };
                taken.push(received);
            }
        }
        taken
    }

    fn read(
        &mut self,
        delivery: Option<(u64, Result<Delivery, lapin::Error>)>,
    ) -> Option<Received> {
        let queue = &self.queue;
        match delivery {
            Some((window, Ok(delivery))) => return Some(Received::new(delivery, window)),
            Some((_, Err(error))) => {
                let doing = format!("consuming from the queue \"{queue}\"");
                self.failure = Some(pubsub_error(&doing, &error));
            }
            None => {
                self.failure.get_or_insert_with(|| {
                    PubSubError::Unavailable(format!(
                        "RabbitMQ ended the consumer of the queue \"{queue}\": it was deleted"
                    ))
                });
            }
        }
        None
    }

    /// A task of its own, since a receive that is given up must not leave a consumer that nobody reads.
    fn start_window(&mut self) {
        if self.opening.is_none() && self.session.needs_window(self.size) {
            let (channel, queue) = (self.session.channel.clone(), self.queue.clone());
            self.opening = Some(tokio::spawn(async move { consume(&channel, &queue).await }));
        }
    }

    fn finish_window(&mut self, opened: <Opening as Future>::Output) {
        let Ok(Ok(consumer)) = opened else {
            self.failure = Some(PubSubError::Unavailable(format!(
                "RabbitMQ takes no further consumer of the queue \"{}\"",
                self.queue
            )));
            return;
        };
        let (channel, before) = (self.session.channel.clone(), self.tag.clone());
        let window = self.session.open_window();
        self.add(window, consumer);
        tokio::spawn(async move {
            let _ = channel
                .basic_cancel(before, BasicCancelOptions::default())
                .await;
        });
    }

    /// Hands back what was fetched and not given out.
    fn end(self) {
        let Ok(runtime) = Handle::try_current() else {
            return self.session.end();
        };
        runtime.spawn(async move {
            let session = self.session.clone();
            if session.is_up() {
                // A broker that does not answer loses the channel, and so gives everything out again.
                let _ = tokio::time::timeout(CALL_TIMEOUT, self.cancel()).await;
            }
            session.end();
        });
    }

    async fn cancel(mut self) {
        let channel = self.session.channel.clone();
        let mut tags = vec![self.tag.clone()];
        if let Some(opening) = self.opening.take()
            && let Ok(Ok(consumer)) = opening.await
        {
            tags.push(consumer.tag());
            self.add(0, consumer);
        }
        for tag in tags {
            let _ = channel
                .basic_cancel(tag, BasicCancelOptions::default())
                .await;
        }
        // Messages that came before the broker knew.
        while let Some((window, delivery)) = self.windows.next().await {
            if let Ok(delivery) = delivery {
                let received = Received::new(delivery, window);
                self.session.give_back(received, Duration::ZERO);
            }
        }
    }
}

/// Waits for a moment; without one for ever.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Waits for a window that is being opened; without one for ever.
async fn opened(opening: &mut Option<Opening>) -> <Opening as Future>::Output {
    match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    }
}

async fn consume(channel: &Channel, queue: &ShortString) -> Result<lapin::Consumer, lapin::Error> {
    channel
        .basic_consume(
            queue.clone(),
            ShortString::default(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
}
