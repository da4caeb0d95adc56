mod faults;
mod layout;
mod opening;
mod world;

use super::*;
use berth_blocks::{
    conformance::{
        PATIENCE, Subject, eventually,
        pubsub::{Part, acknowledge, join, message, one, some, text},
    },
    pubsub::Attempt,
};
use berth_servers::RabbitMq;
use std::{collections::BTreeSet, time::Instant};
use world::*;

const SECOND: Duration = Duration::from_secs(1);

async fn open_classic() -> Subject<dyn PubSub> {
    open_for_test("classic").await
}

async fn open_quorum() -> Subject<dyn PubSub> {
    open_for_test("quorum").await
}

async fn open_for_test(queue_type: &'static str) -> Subject<dyn PubSub> {
    let shared = RabbitMq::shared().await;
    let prefix = unique();
    let url = shared.address.clone();
    let reopen = move || {
        let (url, prefix) = (url.clone(), prefix.clone());
        async move {
            let entries = [
                ("connectionString", url.as_str()),
                ("queueType", queue_type),
            ];
            let own: Arc<dyn PubSub> = Arc::new(Part::new(open_with(&entries).await, prefix));
            own
        }
    };
    Subject::new(reopen().await)
        .keeping(shared)
        .reopened_by(reopen)
}

berth_blocks::pubsub_conformance!(classic: open_classic);
berth_blocks::pubsub_conformance!(quorum: open_quorum);

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_fail_again_and_again_hold_up_no_other() {
    for queue_type in ["classic", "quorum"] {
        let world = World::with(&[("queueType", queue_type)]).await;
        let mut consumer = world.join_with("app", 2).await;
        for number in 0..20 {
            world.publish(&format!("poison-{number}")).await;
        }
        world.publish("good").await;
        let mut poisoned = BTreeSet::new();
        loop {
            let received = one(&mut *consumer).await;
            if text(&received) == "good" {
                acknowledge(received).await;
                break;
            }
            assert!(poisoned.insert(text(&received)), "came before its delay");
            received
                .lease
                .release(3600 * SECOND, Attempt::Counted)
                .await
                .unwrap();
        }
        assert_eq!(poisoned.len(), 20);
        // Whoever comes next gets what waits here.
        drop(consumer);
        let mut next = world.join_with("app", 100).await;
        let mut again = BTreeSet::new();
        while again.len() < 20 {
            let received = one(&mut *next).await;
            again.insert(text(&received));
            acknowledge(received).await;
        }
        assert_eq!(again, poisoned);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_dies_leaves_its_messages_to_the_other() {
    let world = World::with(&[]).await;
    let mut staying = world.join_with("app", 100).await;
    let dying = world.another().await;
    let mut member = join(&dying, &world.topic, "app", 5).await;
    let all: BTreeSet<String> = (0..20).map(|number| format!("m-{number}")).collect();
    for data in &all {
        world.publish(data).await;
    }
    let held = some(&mut *member, 5).await;
    assert!(!held.is_empty());
    // Its leases do not keep the connection: this is what the end of a host looks like to the broker.
    drop(dying);
    let mut seen = BTreeSet::new();
    while seen.len() < all.len() {
        let received = one(&mut *staying).await;
        seen.insert(text(&received));
        acknowledge(received).await;
    }
    assert_eq!(seen, all);
    for message in held {
        let answer = message.lease.acknowledge().await;
        assert!(
            matches!(answer, Err(PubSubError::Unavailable(_))),
            "{answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_outlive_their_consumer() {
    let world = World::with(&[]).await;
    let mut consumer = world.join_with("app", 2).await;
    world.publish("handled").await;
    world.publish("handed back").await;
    let mut held = some(&mut *consumer, 2).await;
    while held.len() < 2 {
        held.extend(some(&mut *consumer, 1).await);
    }
    drop(consumer);
    let back = held.pop().unwrap();
    acknowledge(held.pop().unwrap()).await;
    back.lease
        .release(Duration::ZERO, Attempt::NotCounted)
        .await
        .unwrap();
    let mut next = world.join_with("app", 2).await;
    let received = one(&mut *next).await;
    assert_eq!(text(&received), "handed back");
    acknowledge(received).await;
    assert!(is_silent(&mut *next).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn higher_priorities_come_first() {
    let world = World::with(&[("maxPriority", "9")]).await;
    drop(world.join_with("app", 1).await);
    for priority in ["1", "9", "5"] {
        let message = OutboundMessage {
            metadata: vec![("priority".to_owned(), priority.to_owned())],
            ..message(&world.topic, priority)
        };
        world.pubsub.publish(message).await.unwrap();
    }
    let mut consumer = world.join_with("app", 1).await;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let received = one(&mut *consumer).await;
        seen.push(text(&received));
        acknowledge(received).await;
    }
    assert_eq!(seen, ["9", "5", "1"]);
    let wrong = OutboundMessage {
        metadata: vec![("priority".to_owned(), "high".to_owned())],
        ..message(&world.topic, "")
    };
    assert_eq!(
        world.pubsub.publish(wrong).await,
        Err(PubSubError::Invalid(
            "`priority` is \"high\", expected 0 to 255".to_owned()
        ))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_expire_by_their_own_time_or_that_of_the_backend() {
    let world = World::with(&[("ttlInSeconds", "1")]).await;
    drop(world.join_with("app", 1).await);
    world.publish("the backend's").await;
    let own = OutboundMessage {
        ttl: Some(60 * SECOND),
        ..message(&world.topic, "its own")
    };
    world.pubsub.publish(own).await.unwrap();
    // The moment itself is what is tested.
    tokio::time::sleep(2 * SECOND).await;
    let mut consumer = world.join_with("app", 1).await;
    let received = one(&mut *consumer).await;
    assert_eq!(text(&received), "its own");
    acknowledge(received).await;
    assert!(is_silent(&mut *consumer).await);

    let long = OutboundMessage {
        ttl: Some(3600 * 24 * 50 * SECOND),
        ..message(&world.topic, "")
    };
    let refused = world.pubsub.publish(long).await;
    assert!(
        matches!(&refused, Err(PubSubError::Invalid(text)) if text.contains("49 days")),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_queue_counts_deliveries_over_members() {
    let world = World::with(&[("queueType", "quorum")]).await;
    world.join_with("app", 1).await;
    world.publish("m").await;
    for attempt in 1..=3 {
        let dying = world.another().await;
        let mut member = join(&dying, &world.topic, "app", 1).await;
        assert_eq!(one(&mut *member).await.attempt, attempt);
        drop((member, dying));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_after_the_other_if_the_document_says_so() {
    let world = World::with(&[("concurrency", "single")]).await;
    let mut consumer = world.join_with("app", 10).await;
    for number in 0..3 {
        world.publish(&number.to_string()).await;
    }
    for number in 0..3 {
        let held = some(&mut *consumer, 10).await;
        assert_eq!(held.len(), 1);
        assert_eq!(text(&held[0]), number.to_string());
        for message in held {
            acknowledge(message).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_amqp_cannot_have_are_refused() {
    let world = World::with(&[]).await;
    let long = "t".repeat(256);
    let refused = world.pubsub.publish(message(&long, "")).await;
    assert_eq!(
        refused,
        Err(PubSubError::Invalid(
            "the topic has 256 bytes, RabbitMQ takes at most 255".to_owned()
        ))
    );
    let request = SubscribeRequest {
        topic: "t".repeat(250),
        group: "a-group".to_owned(),
        prefetch: 1,
        metadata: Vec::new(),
    };
    let refused = world.pubsub.subscribe(request).await.err();
    assert!(
        matches!(&refused, Some(PubSubError::Invalid(_))),
        "{refused:?}"
    );
    // The broker's own names; the next call works.
    let refused = world.pubsub.publish(message("amq.mine", "")).await;
    assert!(
        matches!(&refused, Err(PubSubError::Denied(_))),
        "{refused:?}"
    );
    world.publish("still").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_dropped_leaves_no_connection() {
    let world = World::with(&[]).await;
    let consumer = world.join_with("app", 1).await;
    assert_eq!(client_threads(), 2);
    let World { pubsub, .. } = world;
    drop(pubsub);
    eventually("the client's threads end", async || client_threads() == 0).await;
    drop(consumer);
}
