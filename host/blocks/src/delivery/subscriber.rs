//! One subscription: fetches messages and has as many handled at once as its app allows.

use super::{
    DRAIN_TIMEOUT, Deliver, PlannedSubscription, delays::reconnect_delay, handling::Handling,
    routes::Routes,
};
use crate::{
    Blocks,
    backend::Grant,
    pubsub::{Consumer, InboundMessage, PubSubError, SubscribeRequest},
};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Messages that are asked for at once.
const BATCH: usize = 64;

/// Where messages come from.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) grant: Arc<Grant>,
    /// As the broker knows it.
    pub(super) topic: String,
}

impl Source {
    pub(super) fn new(grant: Arc<Grant>, topic: &str) -> Self {
        let topic = [&grant.topic_prefix, topic].concat();
        Self { grant, topic }
    }

    /// The same connection, topic and group: a subscription need not begin again.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same_broker = match (self.grant.broker(), other.grant.broker()) {
            (Ok(own), Ok(other)) => Arc::ptr_eq(own, other),
            _ => false,
        };
        same_broker && self.topic == other.topic && self.grant.group == other.grant.group
    }
}

/// What is known of the messages of a subscription before they come.
pub(super) struct Received {
    pub(super) source: Source,
    pub(super) routes: Routes,
    /// They are payloads without an envelope.
    pub(super) raw: bool,
}

/// How a subscription does, for those who look at it from outside.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Why it gets nothing now.
    pub(super) problem: Mutex<Option<String>>,
    /// It has joined its group, or could not at the first attempt.
    pub(super) begun: CancellationToken,
}

pub(super) struct Subscriber {
    handling: Arc<Handling>,
    /// Messages that are being handled, at most.
    messages_max: usize,
    metadata: Vec<(String, String)>,
    progress: Arc<Progress>,
    stop: CancellationToken,
    /// Messages that are being handled.
    tasks: TaskTracker,
}

impl Subscriber {
    pub(super) fn new(
        blocks: Blocks,
        deliver: Arc<dyn Deliver>,
        plan: PlannedSubscription,
        received: Received,
        progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Self {
        let messages_max = plan.messages_max();
        let metadata = plan.subscription.metadata.clone();
        let handling = Handling::new(blocks, deliver, plan, received, stop.clone());
        Self {
            handling: Arc::new(handling),
            messages_max,
            metadata,
            progress,
            stop,
            tasks: TaskTracker::new(),
        }
    }

    /// Runs until it is stopped; a broker that fails is tried again.
    pub(super) async fn run(self) {
        let stop = self.stop.clone();
        let mut failures = 0;
        while let Some(error) = stop.run_until_cancelled(self.fetch(&mut failures)).await {
            failures += 1;
            self.report(&error, failures);
            if stop
                .run_until_cancelled(tokio::time::sleep(reconnect_delay(failures)))
                .await
                .is_none()
            {
                break;
            }
        }
        self.finish().await;
    }

    /// Joins the group and fetches until the broker fails.
    async fn fetch(&self, failures: &mut u32) -> PubSubError {
        let joined = self.join().await;
        self.progress.begun.cancel();
        let mut consumer = match joined {
            Ok(consumer) => consumer,
            Err(error) => return error,
        };
        let slots = Arc::new(Semaphore::new(self.messages_max));
        loop {
            *self.progress.problem.lock() = None;
            // Slots first: what is fetched can be handled at once, and a slow app leases nothing that it cannot use.
            let Ok(slot) = slots.clone().acquire_owned().await else {
                return PubSubError::Other("the subscription is closed".to_owned());
            };
            let room = slots.available_permits().saturating_add(1).min(BATCH);
            match consumer.receive(room).await {
                Ok(messages) => {
                    *failures = 0;
                    self.start(messages, slot, &slots);
                }
                Err(error) => return error,
            }
        }
    }

    async fn join(&self) -> Result<Box<dyn Consumer>, PubSubError> {
        let source = self.handling.source();
        let request = SubscribeRequest {
            topic: source.topic.clone(),
            group: source.grant.group.clone(),
            prefetch: self.messages_max,
            metadata: self.metadata.clone(),
        };
        source.grant.broker()?.subscribe(request).await
    }

    fn start(
        &self,
        messages: Vec<InboundMessage>,
        slot: OwnedSemaphorePermit,
        slots: &Arc<Semaphore>,
    ) {
        let mut slot = Some(slot);
        for message in messages {
            // Nobody else takes permits, so that there is one for each message that was asked for.
            let slot = slot
                .take()
                .or_else(|| slots.clone().try_acquire_owned().ok());
            let handling = self.handling.clone();
            self.tasks.spawn(async move {
                handling.handle(message).await;
                drop(slot);
            });
        }
    }

    /// Waits for what is being handled; what takes too long is handed back.
    async fn finish(&self) {
        self.tasks.close();
        if tokio::time::timeout(DRAIN_TIMEOUT, self.tasks.wait())
            .await
            .is_err()
        {
            self.handling.abort();
            self.tasks.wait().await;
        }
    }

    fn report(&self, error: &PubSubError, failures: u32) {
        *self.progress.problem.lock() = Some(error.to_string());
        let calls = &self.handling.source().grant.calls;
        tracing::warn!(
            app = calls.app.as_str(),
            namespace = calls.namespace.as_str(),
            backend = &*calls.backend,
            topic = self.handling.source().topic,
            failures,
            "receiving failed, trying again in {:?}: {error}",
            reconnect_delay(failures),
        );
    }
}
