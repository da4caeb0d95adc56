use super::*;
use crate::scratch::{Scratch, context, metadata, try_metadata};
use berth_blocks::{
    conformance::Subject,
    pubsub::{Attempt, InboundMessage},
};
use bytes::Bytes;
use std::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

async fn open_for_test() -> Subject<dyn PubSub> {
    let scratch = Scratch::new();
    let reopen = {
        let folder = scratch.path().to_owned();
        move || {
            let context = context(&folder);
            async {
                let opened = open(context, metadata(&[("leaseDuration", "1s")])).await;
                let pubsub: Arc<dyn PubSub> = Arc::new(opened.unwrap());
                pubsub
            }
        }
    };
    Subject::new(reopen().await)
        .keeping(scratch)
        .reopened_by(reopen)
}

berth_blocks::pubsub_conformance!(conformance: open_for_test);

async fn open_in_memory() -> Subject<dyn PubSub> {
    let memory = metadata(&[("leaseDuration", "1s"), ("connectionString", ":memory:")]);
    let opened = open(context("/nowhere".as_ref()), memory).await;
    Subject::new(Arc::new(opened.unwrap()))
}

berth_blocks::pubsub_conformance!(in_memory: open_in_memory);

async fn open_with(scratch: &Scratch, entries: &[(&str, &str)]) -> SqlitePubSub {
    open(scratch.context(), metadata(entries)).await.unwrap()
}

fn message(topic: &str, data: &str) -> OutboundMessage {
    OutboundMessage {
        topic: topic.to_owned(),
        data: Bytes::copy_from_slice(data.as_bytes()),
        content_type: "text/plain".to_owned(),
        ttl: None,
        partition_key: None,
        metadata: vec![("trace".to_owned(), "1".to_owned())],
        retain: None,
    }
}

fn keyed(data: &str, key: &str) -> OutboundMessage {
    OutboundMessage {
        partition_key: Some(key.to_owned()),
        ..message("orders", data)
    }
}

async fn publish(pubsub: &SqlitePubSub, data: &str) {
    pubsub.publish(message("orders", data)).await.unwrap();
}

async fn join(pubsub: &SqlitePubSub, group: &str) -> Box<dyn Consumer> {
    let request = SubscribeRequest {
        topic: "orders".to_owned(),
        group: group.to_owned(),
        prefetch: 10,
        metadata: Vec::new(),
    };
    pubsub.subscribe(request).await.unwrap()
}

async fn receive(consumer: &mut dyn Consumer) -> Vec<InboundMessage> {
    let received = tokio::time::timeout(10 * SECOND, consumer.receive(10)).await;
    received.expect("a message within 10 s").unwrap()
}

async fn receive_one(consumer: &mut dyn Consumer) -> InboundMessage {
    let received = tokio::time::timeout(10 * SECOND, consumer.receive(1)).await;
    received.expect("a message within 10 s").unwrap().remove(0)
}

/// Whether nothing can be claimed now, without a wait for what comes later.
async fn is_empty(consumer: &mut dyn Consumer) -> bool {
    let moment = Duration::from_millis(100);
    tokio::time::timeout(moment, consumer.receive(10))
        .await
        .is_err()
}

fn texts(messages: &[InboundMessage]) -> Vec<String> {
    let text = |message: &InboundMessage| String::from_utf8_lossy(&message.data).into_owned();
    messages.iter().map(text).collect()
}

/// `topic/group: waiting+in flight`.
async fn depths(pubsub: &SqlitePubSub) -> Vec<String> {
    let depths = pubsub.depths().await.unwrap();
    let line = |depth: &TopicDepth| {
        let group = depth.group.as_deref().unwrap_or("-");
        format!(
            "{}/{group}: {}+{}",
            depth.topic, depth.waiting, depth.in_flight
        )
    };
    depths.iter().map(line).collect()
}

async fn stored(pubsub: &SqlitePubSub) -> usize {
    pubsub.browse("orders", None, 1_000).await.unwrap().len()
}

#[tokio::test]
async fn a_message_goes_when_every_group_is_done() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[]).await;
    publish(&pubsub, "1").await;
    assert_eq!(depths(&pubsub).await, ["orders/-: 1+0"]);
    let (mut mail, mut audit) = (join(&pubsub, "mail").await, join(&pubsub, "audit").await);
    let to_mail = receive_one(&mut *mail).await;
    assert_eq!(to_mail.metadata, [("trace".to_owned(), "1".to_owned())]);
    assert_eq!(
        depths(&pubsub).await,
        ["orders/audit: 1+0", "orders/mail: 0+1"]
    );
    to_mail.lease.acknowledge().await.unwrap();
    assert_eq!(stored(&pubsub).await, 1);
    receive_one(&mut *audit)
        .await
        .lease
        .acknowledge()
        .await
        .unwrap();
    assert_eq!(stored(&pubsub).await, 0);
    assert_eq!(
        depths(&pubsub).await,
        ["orders/audit: 0+0", "orders/mail: 0+0"]
    );
}

#[tokio::test]
async fn a_cursor_is_never_overtaken_by_a_reused_id() {
    let scratch = Scratch::new();
    for round in ["1", "2", "3"] {
        let pubsub = open_with(&scratch, &[]).await;
        let mut consumer = join(&pubsub, "mail").await;
        publish(&pubsub, round).await;
        let received = receive_one(&mut *consumer).await;
        assert_eq!(received.data, round);
        received.lease.acknowledge().await.unwrap();
    }
}

#[tokio::test]
async fn a_publish_wakes_a_waiting_consumer() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[]).await;
    let mut consumer = join(&pubsub, "mail").await;
    let waiting = tokio::spawn(async move { receive_one(&mut *consumer).await.data });
    tokio::task::yield_now().await;
    let begun = Instant::now();
    publish(&pubsub, "1").await;
    assert_eq!(waiting.await.unwrap(), "1");
    assert!(begun.elapsed() < SECOND, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn messages_of_a_key_come_one_at_a_time_in_order() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[]).await;
    for (data, key) in [
        ("a1", "a"),
        ("a2", "a"),
        ("b1", "b"),
        ("a3", "a"),
        ("b2", "b"),
    ] {
        pubsub.publish(keyed(data, key)).await.unwrap();
    }
    let mut consumer = join(&pubsub, "mail").await;
    let mut order = Vec::new();
    for round in 0.. {
        let received = receive(&mut *consumer).await;
        order.push(texts(&received).join(" "));
        for message in received {
            // The first delivery of each round's first message fails.
            if round == 0 && message.data == "a1" {
                message
                    .lease
                    .release(Duration::ZERO, Attempt::Counted)
                    .await
                    .unwrap();
            } else {
                message.lease.acknowledge().await.unwrap();
            }
        }
        if stored(&pubsub).await == 0 {
            break;
        }
    }
    assert_eq!(order, ["a1 b1", "a1 b2", "a2", "a3"]);
    assert_eq!(depths(&pubsub).await, ["orders/mail: 0+0"]);
}

#[tokio::test]
async fn removing_a_message_lets_the_next_of_its_key_through() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[]).await;
    for data in ["1", "2", "3"] {
        pubsub.publish(keyed(data, "k")).await.unwrap();
    }
    let mut consumer = join(&pubsub, "mail").await;
    let first = receive_one(&mut *consumer).await;
    let second = pubsub
        .browse("orders", Some(&first.id), 1)
        .await
        .unwrap()
        .remove(0);
    assert!(is_empty(&mut *consumer).await);
    assert!(pubsub.remove("orders", &second.id).await.unwrap());
    assert!(!pubsub.remove("orders", &second.id).await.unwrap());
    assert!(!pubsub.remove("other", &first.id).await.unwrap());
    assert!(pubsub.remove("orders", &first.id).await.unwrap());
    assert_eq!(receive_one(&mut *consumer).await.data, "3");
    first.lease.acknowledge().await.unwrap();
}

#[tokio::test]
async fn a_lease_that_ran_out_settles_nothing() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[("leaseDuration", "200ms")]).await;
    publish(&pubsub, "1").await;
    let mut consumer = join(&pubsub, "mail").await;
    let late = receive_one(&mut *consumer).await;
    let again = receive_one(&mut *consumer).await;
    assert_eq!((late.attempt, again.attempt), (1, 2));
    let lost = "the lease on message 1 has run out, and the message may be with somebody else";
    assert_eq!(late.lease.extend().await.unwrap_err().to_string(), lost);
    assert_eq!(
        late.lease.acknowledge().await.unwrap_err().to_string(),
        lost
    );
    again.lease.extend().await.unwrap();
    again.lease.acknowledge().await.unwrap();
    assert_eq!(stored(&pubsub).await, 0);
}

#[tokio::test]
async fn an_extended_lease_keeps_the_message() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[("leaseDuration", "300ms")]).await;
    publish(&pubsub, "1").await;
    let mut consumer = join(&pubsub, "mail").await;
    let held = receive_one(&mut *consumer).await;
    for _ in 0..5 {
        assert!(is_empty(&mut *consumer).await);
        held.lease.extend().await.unwrap();
    }
    held.lease.acknowledge().await.unwrap();
}

#[tokio::test]
async fn released_messages_come_after_their_delay_with_their_attempts() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[]).await;
    publish(&pubsub, "1").await;
    let mut consumer = join(&pubsub, "mail").await;
    let first = receive_one(&mut *consumer).await;
    let begun = Instant::now();
    let delay = Duration::from_millis(300);
    first.lease.release(delay, Attempt::Counted).await.unwrap();
    let second = receive_one(&mut *consumer).await;
    // The broker counts whole milliseconds of a clock that may be set, the test those of one that runs.
    assert!(begun.elapsed() >= delay * 9 / 10);
    assert_eq!(second.attempt, 2);
    second
        .lease
        .release(Duration::ZERO, Attempt::NotCounted)
        .await
        .unwrap();
    let third = receive_one(&mut *consumer).await;
    assert_eq!(third.attempt, 2);
    drop(third);
    assert_eq!(receive_one(&mut *consumer).await.attempt, 3);
}

#[tokio::test]
async fn a_receive_that_is_cancelled_takes_nothing() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[]).await;
    let mut consumer = join(&pubsub, "mail").await;
    let mut seen = 0;
    for _ in 0..20 {
        publish(&pubsub, "x").await;
        // Polled once, so that the claim is on its way, then dropped.
        let mut claim = std::pin::pin!(consumer.receive(10));
        if let std::task::Poll::Ready(received) = futures::poll!(claim.as_mut()) {
            for message in received.unwrap() {
                message.lease.acknowledge().await.unwrap();
                seen += 1;
            }
        }
    }
    while seen < 20 {
        for message in receive(&mut *consumer).await {
            assert_eq!(message.attempt, 1);
            message.lease.acknowledge().await.unwrap();
            seen += 1;
        }
    }
}

#[tokio::test]
async fn prefetch_bounds_what_is_leased() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[]).await;
    for data in 0..15 {
        publish(&pubsub, &data.to_string()).await;
    }
    let mut consumer = join(&pubsub, "mail").await;
    let mut held = receive(&mut *consumer).await;
    assert_eq!(held.len(), 10);
    assert!(is_empty(&mut *consumer).await);
    held.pop().unwrap().lease.acknowledge().await.unwrap();
    assert_eq!(texts(&receive(&mut *consumer).await), ["10"]);
}

#[tokio::test]
async fn a_full_topic_refuses_and_says_who_is_behind() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[("maxLength", "2")]).await;
    let results = pubsub.bulk_publish(vec![message("orders", "x"); 3]).await;
    let full = |reader: &str| {
        Err(PubSubError::Unavailable(format!(
            "topic `orders` is full with 2 messages (`maxLength`), {reader}: nothing is published until some are \
             consumed or removed"
        )))
    };
    assert_eq!(results, [Ok(()), Ok(()), full("no group reads it")]);
    let mut consumer = join(&pubsub, "mail").await;
    let refused = pubsub.publish(message("orders", "y")).await;
    assert_eq!(refused, full("group `mail` is furthest behind"));
    receive_one(&mut *consumer)
        .await
        .lease
        .acknowledge()
        .await
        .unwrap();
    publish(&pubsub, "z").await;
}

#[tokio::test]
async fn expired_messages_are_not_delivered() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[]).await;
    let mut consumer = join(&pubsub, "mail").await;
    let short = OutboundMessage {
        ttl: Some(Duration::from_millis(1)),
        ..keyed("short", "k")
    };
    pubsub.publish(keyed("held", "k")).await.unwrap();
    pubsub.publish(short.clone()).await.unwrap();
    pubsub.publish(keyed("long", "k")).await.unwrap();
    let held = receive_one(&mut *consumer).await;
    assert!(is_empty(&mut *consumer).await);
    held.lease.acknowledge().await.unwrap();
    let long = receive_one(&mut *consumer).await;
    assert_eq!(long.data, "long");
    pubsub.publish(short).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    housekeeping::sweep(&pubsub.broker, SECOND).await.unwrap();
    long.lease.acknowledge().await.unwrap();
    assert_eq!(depths(&pubsub).await, ["orders/mail: 0+0"]);
    assert_eq!(stored(&pubsub).await, 0);
}

#[tokio::test]
async fn retained_messages_stay_readable_after_they_were_consumed() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[]).await;
    let mut consumer = join(&pubsub, "mail").await;
    let retain = Duration::from_millis(500);
    let kept = OutboundMessage {
        retain: Some(retain),
        ..message("orders", "dead")
    };
    pubsub.publish(kept).await.unwrap();
    receive_one(&mut *consumer)
        .await
        .lease
        .acknowledge()
        .await
        .unwrap();
    housekeeping::sweep(&pubsub.broker, SECOND).await.unwrap();
    assert_eq!(stored(&pubsub).await, 1);
    assert_eq!(depths(&pubsub).await, ["orders/mail: 0+0"]);
    tokio::time::sleep(retain).await;
    housekeeping::sweep(&pubsub.broker, SECOND).await.unwrap();
    assert_eq!(stored(&pubsub).await, 0);
}

#[tokio::test]
async fn a_topic_that_nobody_reads_keeps_messages_for_the_retention() {
    let scratch = Scratch::new();
    let pubsub = open_with(&scratch, &[]).await;
    for _ in 0..3 {
        publish(&pubsub, "x").await;
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    housekeeping::sweep(&pubsub.broker, 60 * SECOND)
        .await
        .unwrap();
    assert_eq!(stored(&pubsub).await, 3);
    housekeeping::sweep(&pubsub.broker, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(stored(&pubsub).await, 0);
    assert_eq!(depths(&pubsub).await, Vec::<String>::new());
}

#[tokio::test]
async fn two_hosts_share_a_file() {
    let scratch = Scratch::new();
    let (one, two) = (
        open_with(&scratch, &[]).await,
        open_with(&scratch, &[]).await,
    );
    let mut first = join(&one, "mail").await;
    publish(&two, "1").await;
    let held = receive_one(&mut *first).await;
    // A third host takes nothing from a living one.
    let three = open_with(&scratch, &[]).await;
    let mut third = join(&three, "mail").await;
    assert!(is_empty(&mut *third).await);
    held.lease.acknowledge().await.unwrap();
    assert_eq!(depths(&two).await, ["orders/mail: 0+0"]);
}

#[tokio::test]
async fn metadata_that_makes_no_sense_is_refused() {
    let scratch = Scratch::new();
    let zero: SqliteMetadata = metadata(&[("leaseDuration", "0")]);
    let error = open(scratch.context(), zero).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "metadata `leaseDuration`: must be more than 0"
    );
    let error = try_metadata::<SqliteMetadata>(&[("maxLength", "-1")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "metadata `maxLength`: `-1` is not a whole number from 0 to 4294967295"
    );
}
