//! Which subscriptions run.

use super::{
    Deliver, PlannedSubscription, RunningSubscription,
    routes::Routes,
    subscriber::{Progress, Received, Source, Subscriber},
};
use crate::{Blocks, backend::Block, invocation::Target, pubsub::PubSubError, scopes::TopicUse};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long messages that are being handled may take once their subscription stops.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The running subscriptions of a host.
pub struct Deliveries {
    blocks: Blocks,
    deliver: Arc<dyn Deliver>,
    running: Mutex<HashMap<Key, Running>>,
    /// Every subscriber, those that stop included.
    tasks: TaskTracker,
}

/// One app has at most one subscription to a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    target: Target,
    pubsub: String,
    topic: String,
}

struct Running {
    plan: PlannedSubscription,
    source: Result<Source, String>,
    progress: Arc<Progress>,
    stop: CancellationToken,
}

impl Deliveries {
    /// None yet.
    #[must_use]
    pub fn new(blocks: Blocks, deliver: Arc<dyn Deliver>) -> Self {
        Self {
            blocks,
            deliver,
            running: Mutex::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// Starts and stops subscriptions until exactly `plan` runs. Those whose plan and backend are unchanged are not
    /// touched. Call it after every swap of backends. Of two subscriptions of one app to one topic the first runs.
    pub async fn reconcile(&self, plan: Vec<PlannedSubscription>) {
        let mut running = self.running.lock();
        let mut before = std::mem::take(&mut *running);
        for plan in plan {
            let key = Key {
                target: plan.target.clone(),
                pubsub: plan.subscription.pubsub.clone(),
                topic: plan.subscription.topic.clone(),
            };
            if running.contains_key(&key) {
                warn(&plan, "is declared twice; the first declaration holds");
                continue;
            }
            let source = self.source(&plan);
            let kept = before
                .remove(&key)
                .and_then(|own| own.unless_changed(&plan, &source));
            running.insert(key, kept.unwrap_or_else(|| self.start(plan, source)));
        }
        for stopping in before.into_values() {
            stopping.stop.cancel();
        }
    }

    /// Waits until every subscription has joined its group, or could not at the first attempt, at most `limit`. A
    /// broker without history keeps nothing for a group that does not exist yet.
    pub async fn begun(&self, limit: Duration) {
        let begun: Vec<_> = {
            let running = self.running.lock();
            let begun = running.values().map(|own| own.progress.begun.clone());
            begun.collect()
        };
        let all = futures::future::join_all(begun.iter().map(CancellationToken::cancelled));
        // A broker that is slow to answer must not keep the host from serving.
        let _ = tokio::time::timeout(limit, all).await;
    }

    /// Stops fetching, waits a bounded time for messages that are being handled, hands the rest back uncounted.
    pub async fn drain(&self) {
        for stopping in std::mem::take(&mut *self.running.lock()).into_values() {
            stopping.stop.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    /// What runs, by namespace, app, backend and topic.
    #[must_use]
    pub fn list(&self) -> Vec<RunningSubscription> {
        let running = self.running.lock();
        let mut all: Vec<_> = running.iter().map(|(key, own)| own.describe(key)).collect();
        let order = |own: &RunningSubscription| {
            (
                own.target.namespace.clone(),
                own.target.app.clone(),
                own.pubsub.clone(),
                own.topic.clone(),
            )
        };
        all.sort_by_key(order);
        all
    }

    fn start(&self, plan: PlannedSubscription, source: Result<Source, String>) -> Running {
        let progress = Arc::new(Progress::default());
        let stop = CancellationToken::new();
        let received = received(&plan, &source);
        let subscriber = received.map(|received| {
            Subscriber::new(
                self.blocks.clone(),
                self.deliver.clone(),
                plan.clone(),
                received,
                progress.clone(),
                stop.clone(),
            )
        });
        match subscriber {
            Ok(subscriber) => drop(self.tasks.spawn(subscriber.run())),
            Err(reason) => {
                warn(&plan, &format!("does not run: {reason}"));
                *progress.problem.lock() = Some(reason);
                progress.begun.cancel();
            }
        }
        Running {
            plan,
            source,
            progress,
            stop,
        }
    }

    /// Where the messages come from, if the app may have them.
    fn source(&self, plan: &PlannedSubscription) -> Result<Source, String> {
        let (target, subscription) = (&plan.target, &plan.subscription);
        let pubsub = &subscription.pubsub;
        let grant =
            self.blocks
                .grant::<PubSubError>(&target.namespace, &target.app, Block::PubSub, pubsub);
        let grant = grant.map_err(|error| error.to_string())?;
        grant
            .topics
            .check(&target.app, &subscription.topic, TopicUse::Subscribe)?;
        grant.broker().map_err(|error| error.to_string())?;
        Ok(Source::new(grant, &subscription.topic))
    }
}

fn received(
    plan: &PlannedSubscription,
    source: &Result<Source, String>,
) -> Result<Received, String> {
    Ok(Received {
        source: source.clone()?,
        routes: Routes::compile(&plan.subscription)?,
        raw: crate::cloudevents::is_raw(&plan.subscription.metadata)?,
    })
}

impl Running {
    /// Itself, if it does what is planned now; else it is stopped.
    fn unless_changed(
        self,
        plan: &PlannedSubscription,
        source: &Result<Source, String>,
    ) -> Option<Self> {
        let same_source = match (&self.source, source) {
            (Ok(own), Ok(new)) => own.is_same(new),
            (Err(own), Err(new)) => own == new,
            _ => false,
        };
        if same_source && self.plan == *plan {
            return Some(self);
        }
        self.stop.cancel();
        None
    }

    fn describe(&self, key: &Key) -> RunningSubscription {
        RunningSubscription {
            target: key.target.clone(),
            pubsub: key.pubsub.clone(),
            topic: key.topic.clone(),
            dead_letter_topic: self.plan.subscription.dead_letter_topic.clone(),
            subscription: self.plan.subscription.clone(),
            problem: self.progress.problem.lock().clone(),
        }
    }
}

fn warn(plan: &PlannedSubscription, what: &str) {
    let (target, subscription) = (&plan.target, &plan.subscription);
    tracing::warn!(
        app = target.app.as_str(),
        namespace = target.namespace.as_str(),
        pubsub = subscription.pubsub,
        topic = subscription.topic,
        "the subscription {what}",
    );
}
