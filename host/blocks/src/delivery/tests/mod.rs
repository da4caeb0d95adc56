//! Delivery over the in-memory broker on a clock that only the tests move.

mod batches;
mod events;
mod flow;
mod outcomes;
mod policies;

use super::*;
use crate::{
    Backend, Backends, Blocks, Caller, Message, PublishOptions, memory,
    pubsub::{PubSub, StoredMessage},
    registry::{Connections, Metadata, OpenContext, Opened},
};
use berth_resiliency::Resiliencies;
use berth_resources::{LoadOptions, Namespace, Origin, Source};
use berth_telemetry::trace::{self, Trace};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

pub(super) fn subscription(topic: &str) -> Subscription {
    Subscription {
        name: topic.to_owned(),
        namespace: Namespace::default(),
        pubsub: "pubsub".to_owned(),
        pubsub_origin: Origin::defaults(),
        in_code: false,
        topic: topic.to_owned(),
        rules: Vec::new(),
        default_route: Some("/handle".to_owned()),
        dead_letter_topic: None,
        bulk: None,
        metadata: Vec::new(),
        scopes: Vec::new(),
        origin: Origin::defaults(),
    }
}

/// An app that answers from a script, then with success; keeps what it got.
#[derive(Default)]
struct App {
    script: Mutex<VecDeque<DeliveryOutcome>>,
    seen: Mutex<Vec<(Duration, Delivery)>>,
    /// What came in one call: when, and which payloads.
    batches: Mutex<Vec<(Duration, Vec<String>)>>,
    /// How long each handler takes.
    takes: Duration,
    running: Mutex<(usize, usize)>,
    called: Notify,
    started: Mutex<Option<tokio::time::Instant>>,
}

#[async_trait]
impl Deliver for App {
    async fn deliver(&self, _: &Target, delivery: Delivery) -> DeliveryOutcome {
        self.see(delivery);
        self.work().await;
        self.answer()
    }

    async fn deliver_batch(&self, _: &Target, batch: Vec<Delivery>) -> Vec<DeliveryOutcome> {
        let count = batch.len();
        let data = batch.iter().map(data).collect();
        self.batches.lock().push((self.now(), data));
        for delivery in batch {
            self.see(delivery);
        }
        self.work().await;
        (0..count).map(|_| self.answer()).collect()
    }
}

fn data(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.event.data).into_owned()
}

impl App {
    /// Since its first call.
    fn now(&self) -> Duration {
        let now = tokio::time::Instant::now();
        now - *self.started.lock().get_or_insert(now)
    }

    fn see(&self, delivery: Delivery) {
        let now = self.now();
        self.seen.lock().push((now, delivery));
    }

    async fn work(&self) {
        {
            let mut running = self.running.lock();
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        self.called.notify_waiters();
        tokio::time::sleep(self.takes).await;
        self.running.lock().0 -= 1;
    }

    fn answer(&self) -> DeliveryOutcome {
        let next = self.script.lock().pop_front();
        next.unwrap_or(DeliveryOutcome::Success)
    }
}

impl App {
    fn answering(script: impl IntoIterator<Item = DeliveryOutcome>) -> Self {
        Self {
            script: Mutex::new(script.into_iter().collect()),
            ..Self::default()
        }
    }

    fn data(&self) -> Vec<String> {
        let seen = self.seen.lock();
        seen.iter().map(|(_, delivery)| data(delivery)).collect()
    }

    fn attempts(&self) -> Vec<u32> {
        self.seen
            .lock()
            .iter()
            .map(|(_, delivery)| delivery.attempt)
            .collect()
    }
}

struct Host {
    blocks: Blocks,
    opened: Opened,
    broker: Arc<dyn PubSub>,
    deliveries: Deliveries,
    app: Arc<App>,
}

async fn open_broker() -> Opened {
    let context = OpenContext {
        name: "pubsub".to_owned(),
        namespace: Namespace::default(),
        data_dir: std::path::PathBuf::new(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let driver = memory::in_memory()
        .into_iter()
        .find(|driver| driver.kind == "pubsub.in-memory")
        .unwrap();
    (driver.open)(context, Metadata::new()).await.unwrap()
}

impl Host {
    async fn start(app: App, plan: Vec<PlannedSubscription>) -> Self {
        Self::under(Resiliencies::default(), app, plan).await
    }

    async fn under(policies: Resiliencies, app: App, plan: Vec<PlannedSubscription>) -> Self {
        let opened = open_broker().await;
        let blocks = Blocks::new();
        let app = Arc::new(app);
        let host = Self {
            broker: opened.pubsub.clone().unwrap(),
            opened,
            deliveries: Deliveries::new(blocks.clone(), app.clone()),
            blocks,
            app,
        };
        host.govern(policies);
        host.deliveries.reconcile(plan).await;
        host
    }

    /// Other policies, the same broker.
    fn govern(&self, policies: Resiliencies) {
        let mut backends = Backends::default();
        backends.insert(Backend::open_to_all(
            "pubsub",
            Namespace::default(),
            "pubsub.in-memory",
            self.opened.clone(),
        ));
        backends.govern(policies);
        self.blocks.swap(backends);
    }

    async fn publish(&self, topic: &str, data: &str, options: PublishOptions) {
        let caller = Arc::new(Caller {
            namespace: Namespace::default(),
            app: "publisher".parse().unwrap(),
            trace: Trace::remote(trace::Origin::of_texts(
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "",
                "",
            )),
            deadline: Instant::now() + Duration::from_secs(3600),
        });
        let message = Message {
            data: Bytes::copy_from_slice(data.as_bytes()),
            content_type: None,
        };
        self.blocks
            .publisher(&caller, "pubsub")
            .publish(topic, message, options)
            .await
            .unwrap();
    }

    /// Waits until something holds; the paused clock moves on while nothing else can happen.
    async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        for _ in 0..100_000 {
            if holds(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never: {what}");
    }

    async fn stored(&self, topic: &str) -> Vec<StoredMessage> {
        self.broker.browse(topic, None, 100).await.unwrap()
    }

    /// Nothing waits and nothing is in flight.
    async fn idle(&self, topic: &str) {
        self.until("the topic is empty", async |host| {
            let depths = host.broker.depths().await.unwrap();
            depths
                .iter()
                .filter(|depth| depth.topic == topic)
                .all(|depth| depth.waiting + depth.in_flight == 0)
        })
        .await;
    }
}

fn plan(subscription: Subscription) -> PlannedSubscription {
    let target = Target {
        namespace: Namespace::default(),
        app: "orders".parse().unwrap(),
    };
    PlannedSubscription {
        target,
        subscription,
        concurrency: 4,
        body_max: u64::MAX,
    }
}

fn with_dead_letters(topic: &str) -> Subscription {
    Subscription {
        dead_letter_topic: Some("dead".to_owned()),
        ..subscription(topic)
    }
}

/// These policies, of which `used` hold for deliveries from `pubsub`.
fn inbound(policies: &str, used: &str) -> Resiliencies {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {{ name: policies }}\nspec:\n  \
         policies: {policies}\n  targets: {{ components: {{ pubsub: {{ inbound: {used} }} }} }}\n"
    );
    let name = "resiliency.yaml".into();
    let loaded = berth_resources::load(&[Source::Text { name, text }], &LoadOptions::default());
    assert!(!loaded.has_errors(), "{:#?}", loaded.diagnostics);
    Resiliencies::new(loaded.resources.resiliencies, None, |_, _| true)
}

fn constant(seconds: u64, max_retries: u32) -> Resiliencies {
    let retry = format!("{{ duration: {seconds}s, maxRetries: {max_retries} }}");
    inbound(&format!("{{ retries: {{ r: {retry} }} }}"), "{ retry: r }")
}

fn retry() -> DeliveryOutcome {
    DeliveryOutcome::Retry("not now".to_owned())
}

fn mark<'m>(message: &'m StoredMessage, name: &str) -> &'m str {
    let found = message.metadata.iter().find(|(own, _)| own == name);
    found.map_or("", |(_, value)| value)
}
