//! Messages that reach their app together (`bulkSubscribe`).
//!
//! Each message is judged, kept leased, tried again and answered for on its own ([`handling`](super::handling)); only
//! the call is shared. The message that begins a batch carries it out, so that no task of its own can outlive it.

use super::{Deliver, Delivery, DeliveryOutcome, PlannedSubscription};
use crate::invocation::Target;
use berth_resiliency::{Late, attempt};
use berth_resources::BulkSettings;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

/// Bytes of one batch, however small its messages: the app has to hold all of it.
const BYTES_MAX: u64 = 4 << 20;
/// What an entry adds to its event.
const ENTRY_BYTES: u64 = 256;

/// The batches of one subscription that are being gathered.
pub(super) struct Batches {
    deliver: Arc<dyn Deliver>,
    target: Target,
    settings: BulkSettings,
    bytes_max: u64,
    /// By route.
    open: Mutex<HashMap<Arc<str>, Arc<Batch>>>,
    /// Calls at the same time.
    places: Semaphore,
    /// Nothing more comes: what is gathered goes.
    stop: CancellationToken,
}

#[derive(Default)]
struct Batch {
    gathered: Mutex<Gathered>,
    full: CancellationToken,
}

#[derive(Default)]
struct Gathered {
    deliveries: Vec<Delivery>,
    answers: Vec<oneshot::Sender<Answer>>,
    bytes: u64,
}

/// How the delivery of one message ended, if it ended in time.
type Answer = Result<DeliveryOutcome, Late>;

impl Batches {
    /// `None`: the subscription wants its messages one by one.
    pub(super) fn of(
        plan: &PlannedSubscription,
        deliver: &Arc<dyn Deliver>,
        stop: &CancellationToken,
    ) -> Option<Self> {
        let settings = plan.subscription.bulk?;
        Some(Self {
            deliver: deliver.clone(),
            target: plan.target.clone(),
            settings,
            bytes_max: plan.body_max.min(BYTES_MAX),
            open: Mutex::default(),
            places: Semaphore::new(plan.calls_max()),
            stop: stop.clone(),
        })
    }

    /// Delivers one message with others of its route, and says how this one ended. The call may take `timeout`; the time
    /// in which messages gather is not part of it.
    pub(super) async fn deliver(&self, delivery: Delivery, timeout: Option<Duration>) -> Answer {
        // What failed before travels alone: if it breaks its handler, it takes no other with it.
        if delivery.attempt > 1 {
            let _place = self.places.acquire().await;
            let mut outcomes = self.call(vec![delivery], timeout).await?;
            return Ok(outcomes.pop().unwrap_or_else(unanswered));
        }
        let route = delivery.route.clone();
        let (answer, outcome) = oneshot::channel();
        let begun = self.join(delivery, answer);
        if let Some(batch) = begun {
            self.carry_out(&batch, &route, timeout).await;
        }
        // Whoever carried it out is gone only when the subscription is cut off: the message goes back as it is.
        outcome.await.unwrap_or(Ok(DeliveryOutcome::Busy))
    }

    /// Adds a message to the batch of its route; gives the batch if it is a new one, to be carried out.
    fn join(&self, delivery: Delivery, answer: oneshot::Sender<Answer>) -> Option<Arc<Batch>> {
        let mut open = self.open.lock();
        let route = delivery.route.clone();
        let bytes = size(&delivery);
        let fits = |batch: &Arc<Batch>| {
            batch.gathered.lock().bytes.saturating_add(bytes) <= self.bytes_max
        };
        if let Some(batch) = open.get(&route).filter(|batch| !fits(batch)) {
            batch.full.cancel();
            open.remove(&route);
        }
        let known = open.get(&route).cloned();
        let batch = known.clone().unwrap_or_default();
        let mut gathered = batch.gathered.lock();
        gathered.deliveries.push(delivery);
        gathered.answers.push(answer);
        gathered.bytes = gathered.bytes.saturating_add(bytes);
        let full = gathered.deliveries.len() >= self.settings.max_messages as usize;
        drop(gathered);
        if full {
            batch.full.cancel();
            open.remove(&route);
        } else if known.is_none() {
            open.insert(route, batch.clone());
        }
        known.is_none().then_some(batch)
    }

    async fn carry_out(&self, batch: &Arc<Batch>, route: &Arc<str>, timeout: Option<Duration>) {
        tokio::select! {
            () = batch.full.cancelled() => {}
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(self.settings.max_await) => {}
        }
        // While the app has no place for it, the batch goes on growing.
        let _place = self.places.acquire().await;
        let Gathered {
            deliveries,
            answers,
            ..
        } = self.close(batch, route);
        let outcomes = match self.call(deliveries, timeout).await {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(late) => vec![Err(late); answers.len()],
        };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever asked may have been told to hand its message back.
            let _ = answer.send(outcome);
        }
    }

    /// What was gathered; nothing more joins.
    fn close(&self, batch: &Arc<Batch>, route: &Arc<str>) -> Gathered {
        let mut open = self.open.lock();
        if open.get(route).is_some_and(|own| Arc::ptr_eq(own, batch)) {
            open.remove(route);
        }
        std::mem::take(&mut *batch.gathered.lock())
    }

    /// One call; as many outcomes as messages.
    async fn call(
        &self,
        batch: Vec<Delivery>,
        timeout: Option<Duration>,
    ) -> Result<Vec<DeliveryOutcome>, Late> {
        let count = batch.len();
        let call = self.deliver.deliver_batch(&self.target, batch);
        let mut outcomes = attempt(call, timeout, None).await?;
        outcomes.resize_with(count, unanswered);
        Ok(outcomes)
    }
}

fn size(delivery: &Delivery) -> u64 {
    let metadata = delivery.metadata.iter();
    let metadata: usize = metadata
        .map(|(name, value)| name.len() + value.len() + 8)
        .sum();
    let event = delivery.envelope.len() + metadata;
    ENTRY_BYTES.saturating_add(u64::try_from(event).unwrap_or(u64::MAX))
}

fn unanswered() -> DeliveryOutcome {
    DeliveryOutcome::Retry("the call ended without an answer for this message".to_owned())
}
