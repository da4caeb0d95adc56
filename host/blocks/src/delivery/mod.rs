//! Delivery: from a broker to the apps that subscribe, at least once.
//!
//! ```text
//! Deliveries::reconcile ──▶ subscriber (one task per subscription): receive
//!     ──▶ handling (one task per message): read ──▶ routes ──▶ Deliver (a guest) ──▶ pause ──▶ Deliver ...
//!                                              with `bulkSubscribe`: └──▶ batches ──▶ Deliver (many messages, one call)
//!         ──▶ acknowledge, dead letter or release
//! ```
//!
//! A message is acknowledged only after the guest's success, or after the broker took its dead letter. When it is
//! delivered again, and how long its handler may take, is what the inbound policy of its backend says at that moment.

mod attempts;
mod batches;
pub mod dead_letter;
mod delays;
mod deliveries;
mod handling;
mod routes;
mod rule;
mod subscriber;
#[cfg(test)]
mod tests;
mod watch;

pub use deliveries::{DRAIN_TIMEOUT, Deliveries};

use crate::{CloudEvent, invocation::Target};
use async_trait::async_trait;
use berth_resources::Subscription;
use berth_telemetry::trace::Trace;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Hands a message to an app: the runtime for guests.
#[async_trait]
pub trait Deliver: Send + Sync + 'static {
    /// Calls the app's handler once and says how it ended.
    async fn deliver(&self, target: &Target, delivery: Delivery) -> DeliveryOutcome;

    /// Calls the app's handler once for several messages of one route, and says how each of them ended, in their order.
    async fn deliver_batch(&self, target: &Target, batch: Vec<Delivery>) -> Vec<DeliveryOutcome>;
}

/// A message on its way to an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The broker's identifier of the message, unique within backend and topic.
    pub id: Arc<str>,
    /// Name of the pub/sub backend.
    pub pubsub: Arc<str>,
    /// Topic as the app knows it.
    pub topic: Arc<str>,
    /// The route that the rules chose.
    pub route: Arc<str>,
    /// 1 for the first delivery.
    pub attempt: u32,
    /// The event, taken apart.
    pub event: CloudEvent,
    /// The event as JSON, for delivery over HTTP.
    pub envelope: Bytes,
    /// The message was a payload without an envelope: the event is berth's own wrapping.
    pub raw: bool,
    /// What the broker says about the message.
    pub metadata: Vec<(String, String)>,
    /// Where this attempt to deliver it stands: within the trace of its publisher.
    pub trace: Trace,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Done.
    Success,
    /// Not now: another attempt may succeed; why.
    Retry(String),
    /// An HTTP answer that means another attempt, unless the retry policy does not match its status.
    Failed {
        /// The status.
        status: u16,
        /// Why, in words.
        reason: String,
    },
    /// Never: dead letter; why.
    Drop(String),
    /// Not started: handed back, not counted.
    Busy,
}

impl DeliveryOutcome {
    /// As spans name it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Retry(_) | Self::Failed { .. } => "retry",
            Self::Drop(_) => "drop",
            Self::Busy => "busy",
        }
    }
}

/// A subscription of one app, with everything that its delivery needs.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedSubscription {
    /// The app.
    pub target: Target,
    /// What it subscribes to.
    pub subscription: Subscription,
    /// Most calls that the app handles at the same time.
    pub concurrency: usize,
    /// Most bytes that one call may bring it.
    pub body_max: u64,
}

/// Messages of one subscription that are leased at the same time because of its batches.
const LEASED_MAX: usize = 4096;

impl PlannedSubscription {
    /// Calls at the same time.
    fn calls_max(&self) -> usize {
        self.concurrency.clamp(1, Semaphore::MAX_PERMITS)
    }

    /// Messages at the same time: leased and not yet answered for.
    fn messages_max(&self) -> usize {
        let calls = self.calls_max();
        let Some(bulk) = self.subscription.bulk else {
            return calls;
        };
        let batch = bulk.max_messages as usize;
        // One batch gathers while all calls are under way.
        let batches = calls.saturating_add(1);
        batches.saturating_mul(batch).min(LEASED_MAX.max(batch))
    }
}

/// A subscription as people see it in a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningSubscription {
    /// The app.
    pub target: Target,
    /// The pub/sub backend.
    pub pubsub: String,
    /// Topic as the app knows it.
    pub topic: String,
    /// Dead-letter topic.
    pub dead_letter_topic: Option<String>,
    /// What it was started from.
    pub subscription: Subscription,
    /// Why nothing arrives at the moment; absent: it is connected.
    pub problem: Option<String>,
}
