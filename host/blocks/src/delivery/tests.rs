//! Delivery over the in-memory broker on a clock that only the tests move.

use super::*;
use crate::{
    Backend, Backends, Blocks, Caller, Message, PublishOptions, memory,
    pubsub::{PubSub, StoredMessage},
    registry::{Connections, Metadata, OpenContext},
};
use berth_resources::{Backoff, Namespace, Origin};
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
    /// How long each handler takes.
    takes: Duration,
    running: Mutex<(usize, usize)>,
    called: Notify,
    started: Mutex<Option<tokio::time::Instant>>,
}

#[async_trait]
impl Deliver for App {
    async fn deliver(&self, _: &Target, delivery: Delivery) -> DeliveryOutcome {
        let start = *self
            .started
            .lock()
            .get_or_insert_with(tokio::time::Instant::now);
        self.seen.lock().push((start.elapsed(), delivery));
        {
            let mut running = self.running.lock();
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        self.called.notify_waiters();
        tokio::time::sleep(self.takes).await;
        self.running.lock().0 -= 1;
        self.script
            .lock()
            .pop_front()
            .unwrap_or(DeliveryOutcome::Success)
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
        seen.iter()
            .map(|(_, delivery)| String::from_utf8_lossy(&delivery.event.data).into_owned())
            .collect()
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
    broker: Arc<dyn PubSub>,
    deliveries: Deliveries,
    app: Arc<App>,
}

async fn open_broker() -> crate::registry::Opened {
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
        let opened = open_broker().await;
        let broker = opened.pubsub.clone().unwrap();
        let blocks = Blocks::new();
        let mut backends = Backends::default();
        backends.insert(Backend::open_to_all(
            "pubsub",
            Namespace::default(),
            "pubsub.in-memory",
            opened,
        ));
        blocks.swap(backends);
        let app = Arc::new(app);
        let deliveries = Deliveries::new(blocks.clone(), app.clone());
        deliveries.reconcile(plan).await;
        Self {
            blocks,
            broker,
            deliveries,
            app,
        }
    }

    async fn publish(&self, topic: &str, data: &str, options: PublishOptions) {
        let caller = Arc::new(Caller {
            namespace: Namespace::default(),
            app: "publisher".parse().unwrap(),
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
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

fn plan(subscription: Subscription, retry: Option<RetryPolicy>) -> PlannedSubscription {
    let target = Target {
        namespace: Namespace::default(),
        app: "orders".parse().unwrap(),
    };
    PlannedSubscription {
        target,
        subscription,
        retry,
        concurrency: 4,
    }
}

fn with_dead_letters(topic: &str) -> Subscription {
    Subscription {
        dead_letter_topic: Some("dead".to_owned()),
        ..subscription(topic)
    }
}

fn constant(seconds: u64, max_retries: u32) -> RetryPolicy {
    RetryPolicy {
        backoff: Backoff::Constant(Duration::from_secs(seconds)),
        max_retries: Some(max_retries),
        matching: None,
    }
}

fn retry() -> DeliveryOutcome {
    DeliveryOutcome::Retry("not now".to_owned())
}

fn mark<'m>(message: &'m StoredMessage, name: &str) -> &'m str {
    let found = message.metadata.iter().find(|(own, _)| own == name);
    found.map_or("", |(_, value)| value)
}

#[tokio::test(start_paused = true)]
async fn a_message_reaches_its_route_with_its_trace() {
    let host = Host::start(App::default(), vec![plan(subscription("t"), None)]).await;
    host.publish("t", "hello", PublishOptions::default()).await;
    host.until("it is delivered", async |host| !host.app.data().is_empty())
        .await;
    host.idle("t").await;
    let seen = host.app.seen.lock();
    let (_, delivery) = &seen[0];
    assert_eq!(
        (&*delivery.route, &*delivery.topic, delivery.attempt),
        ("/handle", "t", 1)
    );
    assert_eq!(delivery.event.data, "hello");
    assert_eq!(delivery.event.source, "publisher");
    assert!(
        delivery
            .traceparent
            .starts_with("00-0af7651916cd43dd8448eb211c80319c")
    );
    assert_eq!(
        CloudEvent::parse(&delivery.envelope).unwrap(),
        delivery.event
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_policy_the_first_failure_is_a_dead_letter() {
    let host = Host::start(
        App::answering([retry()]),
        vec![plan(with_dead_letters("t"), None)],
    )
    .await;
    host.publish("t", "poison", PublishOptions::default()).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    host.idle("t").await;
    let letter = host.stored("dead").await.remove(0);
    assert_eq!(mark(&letter, dead_letter::TOPIC), "t");
    assert_eq!(mark(&letter, dead_letter::APP), "orders");
    assert_eq!(mark(&letter, dead_letter::REASON), "not now");
    assert_eq!(mark(&letter, dead_letter::ATTEMPTS), "1");
    assert_eq!(CloudEvent::parse(&letter.data).unwrap().data, "poison");
    assert_eq!(host.app.data(), ["poison"]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_can_be_sent_again() {
    let host = Host::start(
        App::answering([retry()]),
        vec![plan(with_dead_letters("t"), None)],
    )
    .await;
    host.publish("t", "late", PublishOptions::default()).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    let letter = host.stored("dead").await.remove(0);
    let topics = host.blocks.topics(&Namespace::default(), "pubsub");
    assert_eq!(topics.resend("dead", &letter.id).await, Ok("t".to_owned()));
    host.until("it is delivered again", async |host| {
        host.app.data().len() == 2
    })
    .await;
    assert!(host.stored("dead").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_a_dead_letter_topic_the_broker_delivers_again_later_and_later() {
    let app = App::answering([retry(), retry(), retry()]);
    let host = Host::start(app, vec![plan(subscription("t"), None)]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    host.until("it is handled", async |host| host.app.data().len() == 4)
        .await;
    host.idle("t").await;
    assert_eq!(host.app.attempts(), [1, 2, 3, 4]);
    let moments: Vec<u64> = host
        .app
        .seen
        .lock()
        .iter()
        .map(|(moment, _)| moment.as_secs())
        .collect();
    assert_eq!(moments, [0, 1, 3, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_tries_again_in_place_then_buries() {
    let app = App::answering(std::iter::repeat_with(retry).take(4));
    let host = Host::start(
        app,
        vec![plan(with_dead_letters("t"), Some(constant(20, 3)))],
    )
    .await;
    host.publish("t", "m", PublishOptions::default()).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    host.idle("t").await;
    // The pauses are longer than the lease: it was extended, or another attempt would have come in between.
    assert_eq!(host.app.attempts(), [1, 2, 3, 4]);
    let moments: Vec<u64> = host
        .app
        .seen
        .lock()
        .iter()
        .map(|(moment, _)| moment.as_secs())
        .collect();
    assert_eq!(moments, [0, 20, 40, 60]);
    assert_eq!(
        mark(&host.stored("dead").await[0], dead_letter::ATTEMPTS),
        "4"
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_that_the_policy_does_not_match_is_not_tried_again() {
    let matching = Some(berth_resources::Matching {
        http: Some(vec![500..=599]),
        grpc: None,
    });
    let policy = RetryPolicy {
        matching,
        ..constant(1, 5)
    };
    let failed = |status| DeliveryOutcome::Failed {
        status,
        reason: status.to_string(),
    };
    let app = App::answering([failed(503), failed(400)]);
    let host = Host::start(app, vec![plan(with_dead_letters("t"), Some(policy))]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    assert_eq!(host.app.attempts(), [1, 2]);
    assert_eq!(
        mark(&host.stored("dead").await[0], dead_letter::REASON),
        "400"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drop_is_buried_at_once_or_discarded() {
    let dropped = || DeliveryOutcome::Drop("never".to_owned());
    let policy = Some(constant(1, 5));
    let subscriptions = vec![
        plan(with_dead_letters("buried"), policy.clone()),
        plan(subscription("gone"), policy),
    ];
    let host = Host::start(App::answering([dropped(), dropped()]), subscriptions).await;
    host.publish("buried", "m", PublishOptions::default()).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    host.publish("gone", "m", PublishOptions::default()).await;
    host.until("it is delivered", async |host| host.app.data().len() == 2)
        .await;
    host.idle("gone").await;
    host.idle("buried").await;
    assert_eq!(host.app.attempts(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_keeps_its_message() {
    let app = App {
        takes: Duration::from_secs(300),
        ..App::default()
    };
    let host = Host::start(app, vec![plan(subscription("t"), None)]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    host.until("it is called", async |host| !host.app.data().is_empty())
        .await;
    host.idle("t").await;
    assert_eq!(host.app.attempts(), [1]);
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_bounded_and_used() {
    let app = App {
        takes: Duration::from_secs(1),
        ..App::default()
    };
    let host = Host::start(app, vec![plan(subscription("t"), None)]).await;
    for number in 0..20 {
        host.publish("t", &number.to_string(), PublishOptions::default())
            .await;
    }
    host.until("all are delivered", async |host| {
        host.app.data().len() == 20
    })
    .await;
    host.idle("t").await;
    assert_eq!(host.app.running.lock().1, 4);
}

#[tokio::test(start_paused = true)]
async fn messages_of_one_key_wait_for_each_other() {
    let app = App {
        takes: Duration::from_millis(10),
        ..App::answering([retry(), retry()])
    };
    let host = Host::start(app, vec![plan(subscription("t"), None)]).await;
    for number in 0..6 {
        let options = PublishOptions {
            partition_key: Some("k".to_owned()),
            ..PublishOptions::default()
        };
        host.publish("t", &number.to_string(), options).await;
    }
    host.until("all are delivered", async |host| host.app.data().len() == 8)
        .await;
    assert_eq!(host.app.data(), ["0", "0", "0", "1", "2", "3", "4", "5"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_never_reaches_the_app() {
    let host = Host::start(App::default(), vec![plan(with_dead_letters("t"), None)]).await;
    let raw = PublishOptions {
        raw: true,
        ..PublishOptions::default()
    };
    host.publish("t", "just bytes", raw).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    assert!(host.app.data().is_empty());
    let letter = host.stored("dead").await.remove(0);
    assert_eq!(letter.data, "just bytes");
    assert!(
        mark(&letter, dead_letter::REASON).starts_with("not a CloudEvent"),
        "{letter:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_raw_subscription_wraps_what_comes() {
    let metadata = vec![("rawPayload".to_owned(), "true".to_owned())];
    let host = Host::start(
        App::default(),
        vec![plan(
            Subscription {
                metadata,
                ..subscription("t")
            },
            None,
        )],
    )
    .await;
    host.publish(
        "t",
        "just bytes",
        PublishOptions {
            raw: true,
            ..PublishOptions::default()
        },
    )
    .await;
    host.until("it is delivered", async |host| !host.app.data().is_empty())
        .await;
    let (_, delivery) = host.app.seen.lock().remove(0);
    assert_eq!(delivery.event.data, "just bytes");
    assert_eq!(delivery.event.source, "Dapr");
    assert_eq!(
        delivery.event.data_content_type.as_deref(),
        Some("application/octet-stream")
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_no_rule_wants_is_gone() {
    let nobody = Subscription {
        default_route: None,
        ..with_dead_letters("t")
    };
    let host = Host::start(App::default(), vec![plan(nobody, None)]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    host.idle("t").await;
    assert!(host.app.data().is_empty() && host.stored("dead").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_expired_event_is_buried() {
    let host = Host::start(App::default(), vec![plan(with_dead_letters("t"), None)]).await;
    let event = r#"{"specversion":"1.0","type":"a","source":"b","id":"1","expiration":"2020-01-01T00:00:00Z"}"#;
    host.publish(
        "t",
        event,
        PublishOptions {
            raw: true,
            ..PublishOptions::default()
        },
    )
    .await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    assert!(host.app.data().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_busy_app_gets_the_message_again_uncounted() {
    let app = App::answering([DeliveryOutcome::Busy, DeliveryOutcome::Busy]);
    let host = Host::start(app, vec![plan(with_dead_letters("t"), None)]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    host.until("it is handled", async |host| host.app.data().len() == 3)
        .await;
    host.idle("t").await;
    assert_eq!(host.app.attempts(), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_handlers_and_hands_the_rest_back() {
    let app = App {
        takes: Duration::from_secs(5),
        ..App::default()
    };
    let host = Host::start(app, vec![plan(subscription("t"), None)]).await;
    host.publish("t", "finishes", PublishOptions::default())
        .await;
    host.until("it is called", async |host| !host.app.data().is_empty())
        .await;
    host.deliveries.drain().await;
    host.idle("t").await;
    assert!(host.deliveries.list().is_empty());

    let app = App {
        takes: Duration::from_secs(3600),
        ..App::default()
    };
    let host = Host::start(app, vec![plan(subscription("t"), None)]).await;
    host.publish("t", "takes too long", PublishOptions::default())
        .await;
    host.until("it is called", async |host| !host.app.data().is_empty())
        .await;
    let start = tokio::time::Instant::now();
    host.deliveries.drain().await;
    assert_eq!(start.elapsed().as_secs(), DRAIN_TIMEOUT.as_secs());
    host.deliveries
        .reconcile(vec![plan(subscription("t"), None)])
        .await;
    host.until("it is called again", async |host| {
        host.app.data().len() == 2
    })
    .await;
    assert_eq!(host.app.attempts(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_subscription_is_not_touched() {
    let app = App {
        takes: Duration::from_secs(600),
        ..App::default()
    };
    let host = Host::start(app, vec![plan(subscription("t"), None)]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    host.until("it is called", async |host| !host.app.data().is_empty())
        .await;
    host.deliveries
        .reconcile(vec![
            plan(subscription("t"), None),
            plan(subscription("u"), None),
        ])
        .await;
    assert_eq!(host.deliveries.list().len(), 2);
    host.idle("t").await;
    assert_eq!(host.app.attempts(), [1]);
    host.deliveries.reconcile(Vec::new()).await;
    assert!(host.deliveries.list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_without_its_backend_says_why() {
    let mut missing = plan(subscription("t"), None);
    missing.subscription.pubsub = "nowhere".to_owned();
    let host = Host::start(App::default(), vec![missing]).await;
    let problem = host.deliveries.list().remove(0).problem.unwrap();
    assert_eq!(
        problem,
        "app \"orders\" sees no pub/sub backend \"nowhere\" in namespace \"default\" (visible: pubsub)"
    );
}
