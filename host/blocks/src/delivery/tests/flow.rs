//! Concurrency, order, leases, and subscriptions that come and go.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_slow_handler_keeps_its_message() {
    let app = App {
        takes: Duration::from_secs(300),
        ..App::default()
    };
    let host = Host::start(app, vec![plan(subscription("t"))]).await;
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
    let host = Host::start(app, vec![plan(subscription("t"))]).await;
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
    let host = Host::start(app, vec![plan(subscription("t"))]).await;
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
async fn a_busy_app_gets_the_message_again_uncounted() {
    let app = App::answering([DeliveryOutcome::Busy, DeliveryOutcome::Busy]);
    let host = Host::start(app, vec![plan(with_dead_letters("t"))]).await;
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
    let host = Host::start(app, vec![plan(subscription("t"))]).await;
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
    let host = Host::start(app, vec![plan(subscription("t"))]).await;
    host.publish("t", "takes too long", PublishOptions::default())
        .await;
    host.until("it is called", async |host| !host.app.data().is_empty())
        .await;
    let start = tokio::time::Instant::now();
    host.deliveries.drain().await;
    assert_eq!(start.elapsed().as_secs(), DRAIN_TIMEOUT.as_secs());
    host.deliveries
        .reconcile(vec![plan(subscription("t"))])
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
    let host = Host::start(app, vec![plan(subscription("t"))]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    host.until("it is called", async |host| !host.app.data().is_empty())
        .await;
    host.deliveries
        .reconcile(vec![plan(subscription("t")), plan(subscription("u"))])
        .await;
    assert_eq!(host.deliveries.list().len(), 2);
    host.idle("t").await;
    assert_eq!(host.app.attempts(), [1]);
    host.deliveries.reconcile(Vec::new()).await;
    assert!(host.deliveries.list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_without_its_backend_says_why() {
    let mut missing = plan(subscription("t"));
    missing.subscription.pubsub = "nowhere".to_owned();
    let host = Host::start(App::default(), vec![missing]).await;
    let problem = host.deliveries.list().remove(0).problem.unwrap();
    assert_eq!(
        problem,
        "app \"orders\" sees no pub/sub backend \"nowhere\" in namespace \"default\" (visible: pubsub)"
    );
}
