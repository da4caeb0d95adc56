//! Messages that share a call.

use super::*;
use berth_resources::{BulkSettings, Rule};

/// Four messages at most, one second at most.
fn bulk(topic: &str) -> Subscription {
    Subscription {
        bulk: Some(BulkSettings {
            max_messages: 4,
            max_await: Duration::from_secs(1),
        }),
        ..with_dead_letters(topic)
    }
}

impl App {
    /// Second of the call, and what it brought.
    fn calls(&self) -> Vec<(u64, String)> {
        let batches = self.batches.lock();
        let call = |(at, data): &(Duration, Vec<String>)| (at.as_secs(), data.join(" "));
        batches.iter().map(call).collect()
    }
}

impl Host {
    async fn publish_each(&self, topic: &str, all: &[&str]) {
        for data in all {
            self.publish(topic, data, PublishOptions::default()).await;
        }
    }

    async fn handled(&self, count: usize) {
        self.until("all are delivered", async |host| {
            host.app.data().len() >= count
        })
        .await;
        self.idle("t").await;
        assert_eq!(self.app.data().len(), count);
    }
}

fn calls(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    let call = |(at, data): &(u64, &str)| (*at, (*data).to_owned());
    expected.iter().map(call).collect()
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_goes_at_once_and_the_rest_when_its_time_is_up() {
    let host = Host::start(App::default(), vec![plan(bulk("t"))]).await;
    host.publish_each("t", &["1", "2", "3", "4", "5", "6", "7", "8", "9"])
        .await;
    host.handled(9).await;
    let expected = [(0, "1 2 3 4"), (0, "5 6 7 8"), (1, "9")];
    assert_eq!(host.app.calls(), calls(&expected));
    assert_eq!(host.app.attempts(), [1; 9]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_messages_of_one_route_only() {
    let rule = |kind: &str| Rule {
        expression: format!("event.data == '{kind}'"),
        path: format!("/{kind}"),
    };
    let routed = Subscription {
        rules: vec![rule("a"), rule("b")],
        ..bulk("t")
    };
    let host = Host::start(App::default(), vec![plan(routed)]).await;
    host.publish_each("t", &["a", "b", "a", "c", "b", "a", "a"])
        .await;
    host.handled(7).await;
    let expected = [(0, "a a a a"), (1, "b b"), (1, "c")];
    assert_eq!(host.app.calls(), calls(&expected));
    let seen = host.app.seen.lock();
    assert!(
        seen.iter()
            .all(|(_, delivery)| match data(delivery).as_str() {
                "c" => &*delivery.route == "/handle",
                data => *delivery.route == format!("/{data}"),
            })
    );
}

#[tokio::test(start_paused = true)]
async fn each_message_of_a_batch_has_its_own_fate() {
    let outcomes = [
        DeliveryOutcome::Success,
        retry(),
        DeliveryOutcome::Drop("never".to_owned()),
        retry(),
        // The second attempt of the two that were to come again.
        DeliveryOutcome::Success,
        retry(),
    ];
    let subscriptions = vec![plan(bulk("t"))];
    let host = Host::under(constant(20, 2), App::answering(outcomes), subscriptions).await;
    host.publish_each("t", &["done", "again", "dropped", "poison"])
        .await;
    host.handled(7).await;
    // What failed travels alone, longer than its lease: it was extended, or another attempt would have come in between.
    let mut later = host.app.calls().split_off(1);
    later.sort();
    let expected = [(20, "again"), (20, "poison"), (40, "poison")];
    assert_eq!(later, calls(&expected));
    let letters = host.stored("dead").await;
    assert_eq!(letters.len(), 1);
    assert_eq!(CloudEvent::parse(&letters[0].data).unwrap().data, "dropped");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_breaks_every_call_takes_no_other_with_it() {
    struct Crashes(App);
    #[async_trait]
    impl Deliver for Crashes {
        async fn deliver(&self, _: &Target, _: Delivery) -> DeliveryOutcome {
            DeliveryOutcome::Drop("not in a batch".to_owned())
        }

        async fn deliver_batch(&self, to: &Target, batch: Vec<Delivery>) -> Vec<DeliveryOutcome> {
            let breaks = batch.iter().any(|delivery| data(delivery) == "poison");
            let outcomes = self.0.deliver_batch(to, batch).await;
            let crashed = DeliveryOutcome::Failed {
                status: 500,
                reason: "crashed".to_owned(),
            };
            match breaks {
                true => vec![crashed; outcomes.len()],
                false => outcomes,
            }
        }
    }
    let host = Host::under(constant(1, 2), App::default(), Vec::new()).await;
    let app = Arc::new(Crashes(App::default()));
    let deliveries = Deliveries::new(host.blocks.clone(), app.clone());
    deliveries.reconcile(vec![plan(bulk("t"))]).await;
    host.publish_each("t", &["a", "poison", "b", "c"]).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    host.idle("t").await;
    let letters = host.stored("dead").await;
    assert_eq!(letters.len(), 1);
    assert_eq!(CloudEvent::parse(&letters[0].data).unwrap().data, "poison");
    assert_eq!(mark(&letters[0], dead_letter::ATTEMPTS), "3");
    let first = app.0.calls().remove(0);
    assert_eq!(first, (0, "a poison b c".to_owned()));
    // All four once more, the poison a third time.
    assert_eq!(app.0.data().len(), 9);
}

#[tokio::test(start_paused = true)]
async fn calls_are_as_many_as_the_app_allows_and_batches_grow_meanwhile() {
    let app = App {
        takes: Duration::from_secs(10),
        ..App::default()
    };
    let one_call = PlannedSubscription {
        concurrency: 1,
        ..plan(bulk("t"))
    };
    let host = Host::start(app, vec![one_call]).await;
    host.publish_each("t", &["1"]).await;
    host.until("it is called", async |host| !host.app.data().is_empty())
        .await;
    host.publish_each("t", &["2", "3"]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    // The second batch has waited long enough and finds no place, so it grows until it is full.
    host.publish_each("t", &["4", "5", "6"]).await;
    host.handled(6).await;
    assert_eq!(host.app.running.lock().1, 1);
    let expected = [(0, "1"), (10, "2 3 4 5"), (20, "6")];
    assert_eq!(host.app.calls(), calls(&expected));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_no_larger_than_a_call_may_be() {
    let small = PlannedSubscription {
        body_max: 2_000,
        ..plan(bulk("t"))
    };
    let host = Host::start(App::default(), vec![small]).await;
    let large = "x".repeat(5_000);
    host.publish_each("t", &["1", "2", &large, "3"]).await;
    host.handled(4).await;
    let sizes: Vec<_> = host
        .app
        .batches
        .lock()
        .iter()
        .map(|(_, data)| data.len())
        .collect();
    assert_eq!(sizes, [2, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_stops_sends_what_it_has_gathered() {
    let patient = Subscription {
        bulk: Some(BulkSettings {
            max_messages: 100,
            max_await: Duration::from_secs(3600),
        }),
        ..bulk("t")
    };
    let host = Host::start(App::default(), vec![plan(patient)]).await;
    host.publish_each("t", &["1", "2"]).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(host.app.data().is_empty());
    let start = tokio::time::Instant::now();
    host.deliveries.drain().await;
    assert_eq!(start.elapsed().as_secs(), 0);
    assert_eq!(host.app.calls(), calls(&[(0, "1 2")]));
    host.idle("t").await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_cut_off_goes_back_uncounted() {
    let app = App {
        takes: Duration::from_secs(3600),
        ..App::default()
    };
    let host = Host::start(app, vec![plan(bulk("t"))]).await;
    host.publish_each("t", &["1", "2", "3", "4"]).await;
    host.until("they are delivered", async |host| {
        host.app.data().len() == 4
    })
    .await;
    host.deliveries.drain().await;
    host.deliveries.reconcile(vec![plan(bulk("t"))]).await;
    host.until("they are delivered again", async |host| {
        host.app.data().len() == 8
    })
    .await;
    assert_eq!(host.app.attempts(), [1; 8]);
    assert!(host.stored("dead").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_busy_app_gets_its_batch_again_uncounted() {
    let busy = std::iter::repeat_n(DeliveryOutcome::Busy, 3);
    let host = Host::start(App::answering(busy), vec![plan(bulk("t"))]).await;
    host.publish_each("t", &["1", "2", "3"]).await;
    host.handled(6).await;
    assert_eq!(host.app.attempts(), [1; 6]);
    assert_eq!(host.app.calls(), calls(&[(0, "1 2 3"), (1, "1 2 3")]));
}
