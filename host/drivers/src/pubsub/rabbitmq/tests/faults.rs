//! A broker that dies, hangs or is cut off.

use super::*;
use berth_servers::{Proxy, RabbitMq};
use std::sync::atomic::{AtomicBool, Ordering};

/// A publisher and a consumer at work.
struct Load {
    stop: Arc<AtomicBool>,
    publisher: tokio::task::JoinHandle<BTreeSet<String>>,
    consumer: tokio::task::JoinHandle<BTreeSet<String>>,
    seen: tokio::sync::watch::Receiver<usize>,
    /// Once the publisher has ended: what must come.
    wanted: tokio::sync::watch::Sender<Option<BTreeSet<String>>>,
}

impl Load {
    async fn start(pubsub: &Arc<RabbitPubSub>, topic: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let consumer = join(&**pubsub, topic, "app", 20).await;
        let (report, seen) = tokio::sync::watch::channel(0);
        let (wanted, wanting) = tokio::sync::watch::channel(None);
        Self {
            publisher: tokio::spawn(publish(pubsub.clone(), topic.to_owned(), stop.clone())),
            consumer: tokio::spawn(consume(consumer, report, wanting)),
            stop,
            seen,
            wanted,
        }
    }

    /// Waits until this many more messages came through.
    async fn progress(&mut self, more: usize) {
        let goal = *self.seen.borrow() + more;
        let wait = self.seen.wait_for(|seen| *seen >= goal);
        tokio::time::timeout(3 * PATIENCE, wait)
            .await
            .expect("messages come through")
            .unwrap();
    }

    /// Everything that was confirmed came at least once.
    async fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        let confirmed = self.publisher.await.unwrap();
        assert!(confirmed.len() > 100, "only {} confirmed", confirmed.len());
        self.wanted.send_replace(Some(confirmed.clone()));
        let seen = self.consumer.await.unwrap();
        let lost: Vec<_> = confirmed.difference(&seen).collect();
        let first = &lost[..lost.len().min(10)];
        assert!(lost.is_empty(), "lost {} confirmed: {first:?}", lost.len());
    }
}

/// Batches of ten; what fails is counted as not published.
async fn publish(
    pubsub: Arc<RabbitPubSub>,
    topic: String,
    stop: Arc<AtomicBool>,
) -> BTreeSet<String> {
    let mut confirmed = BTreeSet::new();
    for batch in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let names: Vec<_> = (0..10).map(|number| format!("{batch}.{number}")).collect();
        let messages = names.iter().map(|name| message(&topic, name)).collect();
        let answers = pubsub.bulk_publish(messages).await;
        let failed = answers.iter().any(Result::is_err);
        confirmed.extend(
            names
                .into_iter()
                .zip(answers)
                .filter(|(_, answer)| answer.is_ok())
                .map(|(name, _)| name),
        );
        let pause = if failed { 50 } else { 2 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    confirmed
}

/// Acknowledges all but every seventh message, which fails once, until all that is wanted came, or nothing for a long time.
async fn consume(
    mut consumer: Box<dyn Consumer>,
    report: tokio::sync::watch::Sender<usize>,
    mut wanted: tokio::sync::watch::Receiver<Option<BTreeSet<String>>>,
) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    loop {
        let has_all = |wanted: &Option<BTreeSet<String>>| {
            wanted
                .as_ref()
                .is_some_and(|wanted| wanted.is_subset(&seen))
        };
        let received = tokio::select! {
            _ = wanted.wait_for(has_all) => return seen,
            received = tokio::time::timeout(5 * PATIENCE, consumer.receive(10)) => received,
        };
        let Ok(received) = received else {
            return seen;
        };
        let Ok(received) = received else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        for (number, message) in received.into_iter().enumerate() {
            if number == 7 && message.attempt == 1 {
                let delay = Duration::from_millis(100);
                message
                    .lease
                    .release(delay, Attempt::Counted)
                    .await
                    .unwrap();
                continue;
            }
            let text = text(&message);
            // One that is lost comes again.
            if message.lease.acknowledge().await.is_ok() {
                seen.insert(text);
            }
        }
        report.send_replace(seen.len());
    }
}

async fn open_at(port: u16, queue_type: &str) -> Arc<RabbitPubSub> {
    let url = format!("amqp://guest:guest@127.0.0.1:{port}");
    let entries = [
        ("connectionString", url.as_str()),
        ("queueType", queue_type),
    ];
    Arc::new(open_with(&entries).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_loses_nothing_that_was_confirmed() {
    let mut broker = RabbitMq::start().await;
    for queue_type in ["classic", "quorum"] {
        let pubsub = open_at(broker.port(), queue_type).await;
        let topic = unique();
        let mut load = Load::start(&pubsub, &topic).await;
        load.progress(200).await;
        eventually("the broker would find the queue again", async || {
            broker.has_saved_declarations()
                && (queue_type == "classic" || broker.has_saved_quorum_queue(&topic))
        })
        .await;
        broker.kill();
        let down = pubsub.publish(message("t", "")).await;
        assert!(
            matches!(
                &down,
                Err(PubSubError::Unavailable(_) | PubSubError::Timeout(_))
            ),
            "{down:?}"
        );
        broker.restart().await;
        load.progress(200).await;
        load.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_lose_nothing() {
    let shared = RabbitMq::shared().await;
    let port = shared.address.rsplit(':').next().unwrap();
    let port = port.split('/').next().unwrap().parse().unwrap();
    let proxy = Proxy::before(port).await;
    let pubsub = open_at(proxy.port(), "classic").await;
    let mut load = Load::start(&pubsub, &unique()).await;
    for _ in 0..5 {
        load.progress(100).await;
        proxy.break_connections();
    }
    proxy.cut();
    eventually("the network is noticed", async || {
        pubsub.ping().await.is_err()
    })
    .await;
    proxy.mend();
    load.progress(100).await;
    load.finish().await;
    drop(pubsub);
    eventually("no connection is left", async || client_threads() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_is_given_up_in_time() {
    let broker = RabbitMq::start().await;
    let pubsub = open_at(broker.port(), "classic").await;
    let topic = unique();
    let mut consumer = join(&*pubsub, &topic, "app", 10).await;
    pubsub.publish(message(&topic, "before")).await.unwrap();
    acknowledge(one(&mut *consumer).await).await;
    broker.freeze();
    let began = Instant::now();
    let hung = pubsub.publish(message(&topic, "during")).await;
    assert!(
        matches!(&hung, Err(PubSubError::Timeout(text)) if text.contains("may have it")),
        "{hung:?}"
    );
    assert!(began.elapsed() < PATIENCE);
    let hung = pubsub.publish(message("another", "during")).await;
    assert!(
        matches!(&hung, Err(PubSubError::Unavailable(_))),
        "{hung:?}"
    );
    broker.thaw();
    eventually("it works again", async || {
        pubsub.publish(message(&topic, "after")).await.is_ok()
    })
    .await;
    loop {
        let Ok(received) = consumer.receive(1).await else {
            continue;
        };
        for message in received {
            let last = text(&message) == "after";
            acknowledge(message).await;
            if last {
                // Dropped while it hangs, a backend leaves nothing behind.
                broker.freeze();
                drop((pubsub, consumer));
                return eventually("no connection is left", async || client_threads() == 0).await;
            }
        }
    }
}
