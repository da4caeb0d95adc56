//! Members of a group: taking over, handing on, leaving.

use super::*;
use std::collections::BTreeSet;

#[tokio::test]
async fn a_consumer_that_leaves_is_removed() {
    let server = TestServer::start(RedisOptions::new()).await;
    let (pubsub, outside) = (host(&server, &[]).await, Outside::of(&server).await);
    publish_all(&pubsub, 3).await;
    let mut consumer = join(&pubsub).await;
    let mut held = some(&mut *consumer, 3).await;
    held.remove(0).lease.acknowledge().await.unwrap();
    drop(consumer);
    // Two handlers are still at work: their messages are its own until they answer.
    let [(name, 2)] = &outside.consumers().await[..] else {
        panic!("{:?}", outside.consumers().await);
    };
    assert!(name.starts_with(scripts::CONSUMER_PREFIX), "{name}");
    for message in held {
        message.lease.extend().await.unwrap();
        message.lease.acknowledge().await.unwrap();
    }
    outside.no_consumer_is_left().await;
    assert_eq!(outside.number(&["XLEN", "orders"]).await, 3);
}

#[tokio::test]
async fn what_a_draining_host_hands_back_goes_to_another_at_once() {
    let server = TestServer::start(RedisOptions::new()).await;
    // Longer than any test: nothing is taken over.
    let long = [("processingTimeout", "10m")];
    let (one_host, other_host) = (host(&server, &long).await, host(&server, &long).await);
    let names = publish_all(&one_host, 20).await;
    let mut draining = join(&one_host).await;
    let held = some(&mut *draining, 20).await;
    let mut other = join(&other_host).await;
    let waiting = tokio::spawn(async move { (some(&mut *other, 20).await, other) });
    drop(draining);
    for message in held {
        let release = message.lease.release(Duration::ZERO, Attempt::NotCounted);
        release.await.unwrap();
    }
    let (received, other) = waiting.await.unwrap();
    assert!(received.iter().all(|message| message.attempt == 1));
    let came: BTreeSet<_> = received.iter().map(text).collect();
    assert_eq!(came, names.into_iter().collect());
    for message in received {
        message.lease.acknowledge().await.unwrap();
    }
    drop(other);
    Outside::of(&server).await.no_consumer_is_left().await;
}

#[tokio::test]
async fn a_delay_holds_on_every_host() {
    let server = TestServer::start(RedisOptions::new()).await;
    let (one_host, other_host) = (host(&server, &[]).await, host(&server, &[]).await);
    publish_all(&one_host, 1).await;
    let mut consumer = join(&one_host).await;
    let delay = Duration::from_millis(1_500);
    let held = one(&mut *consumer).await;
    let released = std::time::Instant::now();
    held.lease.release(delay, Attempt::Counted).await.unwrap();
    drop(consumer);
    let again = one(&mut *join(&other_host).await).await;
    // Brokers keep time in milliseconds.
    assert!(released.elapsed() + Duration::from_millis(20) >= delay);
    assert_eq!(again.attempt, 2);
}

#[tokio::test]
async fn what_a_silent_host_holds_is_taken_over() {
    let server = TestServer::start(RedisOptions::new()).await;
    let outside = Outside::of(&server).await;
    let pubsub = host(&server, &[("processingTimeout", "1s")]).await;
    let names = publish_all(&pubsub, 250).await;
    // Dapr's consumer, which says nothing any more.
    outside
        .ask(&["XGROUP", "CREATE", "orders", "app", "0"])
        .await;
    let read = [
        "XREADGROUP",
        "GROUP",
        "app",
        "app",
        "COUNT",
        "250",
        "STREAMS",
        "orders",
        ">",
    ];
    outside.ask(&read).await;
    let mut consumer = pubsub.subscribe(request(300)).await.unwrap();
    let received = some(&mut *consumer, 250).await;
    assert!(received.iter().all(|message| message.attempt == 2));
    let came: BTreeSet<_> = received.iter().map(text).collect();
    assert_eq!(came, names.into_iter().collect());
    for message in received {
        message.lease.acknowledge().await.unwrap();
    }
    drop(consumer);
    // It is not berth's to remove.
    eventually("only Dapr's consumer is left", async || {
        outside.consumers().await == [("app".to_owned(), 0)]
    })
    .await;
}

#[tokio::test]
async fn with_redelivery_off_only_released_messages_come_again() {
    let server = TestServer::start(RedisOptions::new()).await;
    let outside = Outside::of(&server).await;
    let pubsub = host(&server, &[("redeliverInterval", "0")]).await;
    publish_all(&pubsub, 1).await;
    outside
        .ask(&["XGROUP", "CREATE", "orders", "app", "0"])
        .await;
    let read = [
        "XREADGROUP",
        "GROUP",
        "app",
        "dead",
        "STREAMS",
        "orders",
        ">",
    ];
    outside.ask(&read).await;
    let mut consumer = join(&pubsub).await;
    pubsub.publish(message("new")).await.unwrap();
    for attempt in 1..=3 {
        let received = one(&mut *consumer).await;
        assert_eq!(
            (text(&received).as_str(), received.attempt),
            ("new", attempt)
        );
        assert_eq!(received.lease.duration(), None);
        let release = received.lease.release(Duration::ZERO, Attempt::Counted);
        release.await.unwrap();
    }
}

#[tokio::test]
async fn a_message_that_was_removed_does_not_come_again() {
    let server = TestServer::start(RedisOptions::new()).await;
    let pubsub = host(&server, &[]).await;
    publish_all(&pubsub, 2).await;
    let mut consumer = join(&pubsub).await;
    for message in some(&mut *consumer, 2).await {
        if text(&message) == "m-0" {
            assert_eq!(pubsub.remove("orders", &message.id).await, Ok(true));
        }
        let release = message.lease.release(Duration::ZERO, Attempt::Counted);
        release.await.unwrap();
    }
    let received = one(&mut *consumer).await;
    assert_eq!(text(&received), "m-1");
    received.lease.acknowledge().await.unwrap();
    let outside = Outside::of(&server).await;
    eventually("nothing is pending", async || {
        let consumers = outside.consumers().await;
        consumers.iter().all(|(_, pending)| *pending == 0)
    })
    .await;
}

#[tokio::test]
async fn empty_consumers_of_dead_hosts_are_removed() {
    let server = TestServer::start(RedisOptions::new()).await;
    let outside = Outside::of(&server).await;
    let mut pubsub = host(&server, &[]).await;
    outside
        .ask(&["XGROUP", "CREATE", "orders", "app", "0", "MKSTREAM"])
        .await;
    for name in ["berth-dead", "berth-busy", "app"] {
        outside
            .ask(&["XGROUP", "CREATECONSUMER", "orders", "app", name])
            .await;
    }
    publish_all(&pubsub, 1).await;
    let read = [
        "XREADGROUP",
        "GROUP",
        "app",
        "berth-busy",
        "STREAMS",
        "orders",
        ">",
    ];
    outside.ask(&read).await;
    let names = async || {
        let consumers = outside.consumers().await.into_iter();
        let mut others: Vec<_> = consumers.filter(|(name, _)| name.len() < 15).collect();
        others.sort();
        others
    };
    let mut consumer = join(&pubsub).await;
    pubsub.publish(message("after a look")).await.unwrap();
    one(&mut *consumer).await.lease.acknowledge().await.unwrap();
    assert_eq!(names().await.len(), 3);
    drop(consumer);
    pubsub.terms.gone = Duration::ZERO;
    let mut consumer = join(&pubsub).await;
    let looking = tokio::spawn(async move { consumer.receive(1).await.map(drop) });
    let expected = [("app".to_owned(), 0), ("berth-busy".to_owned(), 1)];
    eventually("the dead one is gone", async || names().await == expected).await;
    looking.abort();
}

#[tokio::test]
async fn concurrency_bounds_what_is_leased() {
    let server = TestServer::start(RedisOptions::new()).await;
    let pubsub = host(&server, &[("concurrency", "2"), ("queueDepth", "1")]).await;
    publish_all(&pubsub, 5).await;
    let mut consumer = join(&pubsub).await;
    let held = some(&mut *consumer, 2).await;
    let third = tokio::time::timeout(Duration::from_millis(300), consumer.receive(1)).await;
    assert!(third.is_err(), "{third:?}");
    drop(held);
    one(&mut *consumer).await.lease.acknowledge().await.unwrap();
}

#[tokio::test]
async fn a_backend_that_is_dropped_leaves_no_connection() {
    let server = TestServer::start(RedisOptions::new()).await;
    let outside = Outside::of(&server).await;
    let pubsub = host(&server, &[]).await;
    publish_all(&pubsub, 5).await;
    let mut consumer = join(&pubsub).await;
    let held = some(&mut *consumer, 3).await;
    drop((held, consumer, pubsub));
    eventually("its connections are closed", async || {
        let clients = outside.ask(&["CLIENT", "LIST"]).await;
        let clients: String = redis::from_redis_value(clients).unwrap();
        clients.lines().count() == 1
    })
    .await;
    let consumers = outside.consumers().await;
    assert!(
        consumers.iter().all(|(name, _)| name == "berth-wait-0"),
        "{consumers:?}"
    );
}
