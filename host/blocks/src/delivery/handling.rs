//! One message: read, routed, delivered, tried again, and answered for at its broker.

use super::{
    Deliver, Delivery, DeliveryOutcome, PlannedSubscription,
    attempts::Attempts,
    batches::Batches,
    dead_letter::{self, Death},
    delays::release_delay,
    routes::Routes,
    subscriber::{Received, Source},
    watch::{self, End, Watch},
};
use crate::{
    Blocks,
    backend::Block,
    clock,
    cloudevents::{CloudEvent, from_binary},
    pubsub::{Attempt, InboundMessage, Lease, PubSubError},
};
use berth_resiliency::{Late, Policy, Refusal, attempt};
use berth_telemetry::trace::Trace;
use bytes::Bytes;
use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How long the broker keeps a message back that the app had no room for.
const BUSY_DELAY: Duration = Duration::from_millis(200);

/// How long the broker keeps a message back at most, and at least, that a circuit breaker keeps from the app.
const REFUSED_DELAY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

/// Everything that the messages of one subscription share.
pub(super) struct Handling {
    blocks: Blocks,
    deliver: Arc<dyn Deliver>,
    /// The way to the app of messages that share a call.
    batches: Option<Batches>,
    plan: PlannedSubscription,
    pubsub: Arc<str>,
    topic: Arc<str>,
    source: Source,
    routes: Routes,
    watch: Watch,
    /// Messages are payloads without an envelope.
    raw: bool,
    /// No further attempts.
    stop: CancellationToken,
    /// No waiting for the attempt that runs.
    abort: CancellationToken,
}

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Handled, or no rule wants it.
    Done,
    /// Will never be handled.
    Dropped(Death),
    /// Was tried as often as the policy says.
    Failed(Death),
    /// Goes back to the broker as it is.
    HandBack(Duration, Attempt),
}

impl Verdict {
    fn end(&self) -> End {
        match self {
            Self::Done => End::Success,
            Self::Dropped(_) => End::Drop,
            Self::Failed(_) => End::Retry,
            Self::HandBack(..) => End::HandedBack,
        }
    }
}

impl Handling {
    pub(super) fn new(
        blocks: Blocks,
        deliver: Arc<dyn Deliver>,
        plan: PlannedSubscription,
        received: Received,
        stop: CancellationToken,
    ) -> Self {
        let Received {
            source,
            routes,
            raw,
        } = received;
        Self {
            watch: Watch::new(&blocks, &plan),
            blocks,
            batches: Batches::of(&plan, &deliver, &stop),
            deliver,
            pubsub: plan.subscription.pubsub.as_str().into(),
            topic: plan.subscription.topic.as_str().into(),
            plan,
            source,
            routes,
            raw,
            stop,
            abort: CancellationToken::new(),
        }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// Hands back whatever is still being handled.
    pub(super) fn abort(&self) {
        self.abort.cancel();
    }

    /// Handles one message to its end.
    pub(super) async fn handle(&self, message: InboundMessage) {
        let lost = AtomicBool::new(false);
        let verdict = tokio::select! {
            verdict = self.judge(&message, &lost) => verdict,
            () = keep_lease(&*message.lease, &lost) => Verdict::HandBack(Duration::ZERO, Attempt::NotCounted),
            () = self.abort.cancelled() => Verdict::HandBack(Duration::ZERO, Attempt::NotCounted),
        };
        self.watch.count(verdict.end());
        self.answer(message, verdict).await;
    }

    async fn judge(&self, message: &InboundMessage, lost: &AtomicBool) -> Verdict {
        let death = |reason: String| Death {
            reason,
            attempts: message.attempt,
        };
        let (event, envelope) = match self.read(message) {
            Ok(read) => read,
            Err(reason) => return Verdict::Failed(death(reason)),
        };
        if event.is_expired(clock::now()) {
            return Verdict::Dropped(death("expired before it was delivered".to_owned()));
        }
        let route = match self.routes.route(&envelope) {
            Ok(Some(route)) => route,
            // As in Dapr: no rule wants it, and there is no default.
            Ok(None) => return Verdict::Done,
            Err(reason) => return Verdict::Failed(death(reason)),
        };
        let delivery = self.delivery(message, event, envelope, route);
        self.attempt(delivery, lost).await
    }

    /// The event of a message, and its JSON form.
    fn read(&self, message: &InboundMessage) -> Result<(CloudEvent, Bytes), String> {
        if self.raw {
            return Ok(CloudEvent::from_raw(
                message.data.clone(),
                &self.pubsub,
                &self.topic,
            ));
        }
        match CloudEvent::parse(&message.data) {
            Ok(event) => Ok((event, message.data.clone())),
            Err(error) => {
                let content_type = message.content_type.as_deref();
                let event = from_binary(&message.metadata, &message.data, content_type);
                event
                    .map(|event| (event.clone(), event.to_json()))
                    .ok_or_else(|| error.to_string())
            }
        }
    }

    fn delivery(
        &self,
        message: &InboundMessage,
        event: CloudEvent,
        envelope: Bytes,
        route: Arc<str>,
    ) -> Delivery {
        Delivery {
            trace: Trace::remote(watch::origin(message, &event)),
            id: message.id.as_str().into(),
            pubsub: self.pubsub.clone(),
            topic: self.topic.clone(),
            route,
            attempt: message.attempt,
            event,
            envelope,
            raw: self.raw,
            metadata: message.metadata.clone(),
        }
    }

    /// Delivers until the app is done with it or the policy ends.
    async fn attempt(&self, mut delivery: Delivery, lost: &AtomicBool) -> Verdict {
        let policy = self.policy();
        let mut attempts = Attempts::new(policy.as_deref());
        loop {
            let number = delivery.attempt;
            let death = |reason| Death {
                reason,
                attempts: number,
            };
            let permit = match attempts.admit() {
                Ok(permit) => permit,
                Err(refusal) => return self.refused(refusal, attempts, number),
            };
            let timeout = policy.as_deref().and_then(Policy::timeout);
            // Only a further attempt needs the message once more.
            let next = attempts.may_repeat().then(|| delivery.clone());
            let answer = self.deliver(delivery, timeout).await;
            let pause = attempts.ended(permit, &answer);
            let reason = match answer {
                Ok(DeliveryOutcome::Success) => return Verdict::Done,
                Ok(DeliveryOutcome::Drop(reason)) => return Verdict::Dropped(death(reason)),
                Ok(DeliveryOutcome::Busy) => {
                    return Verdict::HandBack(BUSY_DELAY, Attempt::NotCounted);
                }
                Ok(DeliveryOutcome::Failed { reason, .. } | DeliveryOutcome::Retry(reason)) => {
                    reason
                }
                Err(late) => late.to_string(),
            };
            let (Some(pause), Some(next)) = (pause, next) else {
                return Verdict::Failed(death(reason));
            };
            delivery = next;
            self.log_retry(&reason, number, pause);
            // A subscription that stops leaves further attempts to whoever gets the message next.
            if self
                .stop
                .run_until_cancelled(tokio::time::sleep(pause))
                .await
                .is_none()
                || lost.load(Ordering::Relaxed)
            {
                return Verdict::HandBack(pause, Attempt::Counted);
            }
            delivery.attempt = number.saturating_add(1);
        }
    }

    /// The inbound policy of this moment: a changed document counts from the next message, and no subscription begins
    /// anew for it.
    fn policy(&self) -> Option<Arc<Policy>> {
        let target = &self.plan.target;
        let (namespace, app) = (&target.namespace, &target.app);
        let grant = self
            .blocks
            .grant::<PubSubError>(namespace, app, Block::PubSub, &self.pubsub);
        // A backend that is just going leaves the policy that it had.
        grant.as_ref().unwrap_or(&self.source.grant).inbound.clone()
    }

    /// What becomes of a message that the circuit breaker keeps from the app. One that failed before has had its chance,
    /// as in Dapr; one that was never tried goes back until the breaker lets it through, so that an app that is down for
    /// a minute does not bury all that comes meanwhile.
    fn refused(&self, refusal: Refusal, attempts: Attempts<'_>, number: u32) -> Verdict {
        if let Some(tried) = attempts.tried(refusal) {
            return Verdict::Failed(Death {
                reason: tried,
                attempts: number.saturating_sub(1),
            });
        }
        let delay = match refusal {
            Refusal::Open(rest) => rest.clamp(*REFUSED_DELAY.start(), *REFUSED_DELAY.end()),
            Refusal::HalfOpen => *REFUSED_DELAY.start(),
        };
        Verdict::HandBack(delay, Attempt::NotCounted)
    }

    /// One attempt, which has a span of its own: further ones stand beside it, in the publisher's trace.
    async fn deliver(
        &self,
        mut delivery: Delivery,
        timeout: Option<Duration>,
    ) -> Result<DeliveryOutcome, Late> {
        let target = &self.plan.target;
        let watched = self.watch.begin(&delivery);
        delivery.trace = watched.trace.clone();
        let delivered = match &self.batches {
            Some(batches) => batches.deliver(delivery, timeout).await,
            None => attempt(self.deliver.deliver(target, delivery), timeout, None).await,
        };
        self.watch.ended(watched, &delivered);
        delivered
    }

    /// Tells the broker. A broker that does not take the answer delivers again: at least once.
    async fn answer(&self, message: InboundMessage, verdict: Verdict) {
        let id = message.id.clone();
        let answered = match verdict {
            Verdict::Done => message.lease.acknowledge().await,
            Verdict::HandBack(delay, count) => message.lease.release(delay, count).await,
            Verdict::Dropped(death) => {
                self.log_death(&id, &death, "dropped");
                match self.bury(&message, &death).await {
                    Buried::Refused => {
                        message
                            .lease
                            .release(release_delay(death.attempts), Attempt::Counted)
                            .await
                    }
                    Buried::Taken | Buried::NoTopic => message.lease.acknowledge().await,
                }
            }
            Verdict::Failed(death) => {
                self.log_death(&id, &death, "failed");
                match self.bury(&message, &death).await {
                    Buried::Taken => message.lease.acknowledge().await,
                    Buried::Refused | Buried::NoTopic => {
                        message
                            .lease
                            .release(release_delay(message.attempt), Attempt::Counted)
                            .await
                    }
                }
            }
        };
        if let Err(error) = answered {
            tracing::warn!(
                app = self.plan.target.app.as_str(),
                namespace = self.plan.target.namespace.as_str(),
                backend = &*self.pubsub,
                topic = &*self.topic,
                id,
                "the broker did not take the answer, the message may come again: {error}",
            );
        }
    }

    /// Publishes the dead letter, if there is a topic for it.
    async fn bury(&self, message: &InboundMessage, death: &Death) -> Buried {
        let Some(topic) = &self.plan.subscription.dead_letter_topic else {
            return Buried::NoTopic;
        };
        let letter = dead_letter::write(message, &self.plan.target.app, &self.source.topic, death);
        let event = self.read(message).map(|(event, _)| event);
        let trace = self.watch.join(message, &event.unwrap_or_default());
        match dead_letter::publish(&self.source.grant, topic, letter, &trace).await {
            Ok(()) => Buried::Taken,
            // The pipeline has logged why.
            Err(_) => Buried::Refused,
        }
    }

    fn log_retry(&self, reason: &str, attempts: u32, pause: Duration) {
        tracing::debug!(
            app = self.plan.target.app.as_str(),
            namespace = self.plan.target.namespace.as_str(),
            topic = &*self.topic,
            attempts,
            "delivery failed, trying again in {pause:?}: {reason}",
        );
    }

    fn log_death(&self, id: &str, death: &Death, what: &str) {
        let next = match &self.plan.subscription.dead_letter_topic {
            Some(topic) => format!("to dead-letter topic \"{topic}\""),
            None if what == "dropped" => "discarded".to_owned(),
            None => "comes again".to_owned(),
        };
        tracing::warn!(
            app = self.plan.target.app.as_str(),
            namespace = self.plan.target.namespace.as_str(),
            backend = &*self.pubsub,
            topic = &*self.topic,
            id,
            attempts = death.attempts,
            "message {what}, {next}: {}",
            death.reason,
        );
    }
}

/// What the dead-letter topic did.
enum Buried {
    /// It has the message.
    Taken,
    /// It could not be published to.
    Refused,
    /// There is none.
    NoTopic,
}

/// Extends the lease for as long as it is polled. Never ends.
async fn keep_lease(lease: &dyn Lease, lost: &AtomicBool) {
    let Some(duration) = lease.duration() else {
        return std::future::pending().await;
    };
    loop {
        // At a third: one extension may fail and the next still comes in time.
        tokio::time::sleep(duration / 3).await;
        let failed = lease.extend().await.is_err();
        lost.store(failed, Ordering::Relaxed);
    }
}
