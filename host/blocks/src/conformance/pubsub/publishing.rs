//! Publishing and what arrives.

use super::{Broker, acknowledge, keyed, message, names, text};
use crate::pubsub::OutboundMessage;
use bytes::Bytes;
use std::{collections::BTreeSet, time::Duration};

/// A broker that is open answers.
pub async fn it_answers_a_ping(broker: Broker) {
    assert_eq!(broker.backend.ping().await, Ok(()));
}

/// Data, metadata, and where they are kept the content type and the moment; the first attempt is 1.
pub async fn a_message_arrives_as_published(broker: Broker) {
    let mut listener = broker.join("orders", "app").await;
    let metadata = vec![
        ("color".to_owned(), "red".to_owned()),
        ("traceparent".to_owned(), "00-1".to_owned()),
    ];
    let sent = OutboundMessage {
        content_type: "application/cloudevents+json".to_owned(),
        metadata: metadata.clone(),
        ..message("orders", "{\"id\":\"1\"}")
    };
    broker.publish(sent).await;
    let received = listener.one().await;
    assert_eq!(text(&received), "{\"id\":\"1\"}");
    assert!(
        received
            .content_type
            .as_deref()
            .is_none_or(|kept| kept == "application/cloudevents+json")
    );
    for entry in &metadata {
        assert!(
            received.metadata.contains(entry),
            "{entry:?} is missing in {:?}",
            received.metadata
        );
    }
    assert_eq!(received.attempt, 1);
    assert!(!received.id.is_empty());
    acknowledge(received).await;
    listener.silent().await;
}

/// Bytes that are no text, nothing at all, a mebibyte; topics with slashes, dots, spaces and quotes, or a refusal.
pub async fn any_payload_and_topic_name_passes(broker: Broker) {
    let large = vec![7_u8; 1 << 20];
    let payloads: [&[u8]; 4] = [&[0, 255, 254, 0], b"", "ünïcödé €".as_bytes(), &large];
    let mut listener = broker.join("payloads", "app").await;
    for payload in payloads {
        broker
            .publish(OutboundMessage {
                data: Bytes::copy_from_slice(payload),
                ..message("payloads", "")
            })
            .await;
        let received = listener.one().await;
        assert_eq!(received.data, payload);
        acknowledge(received).await;
    }
    for topic in [
        "a/b/c",
        "a.b",
        "with space",
        "'; DROP TABLE messages; --",
        "Ünï",
    ] {
        if broker.refuses(topic).await {
            continue;
        }
        let mut listener = broker.join(topic, "app").await;
        broker.publish(message(topic, topic)).await;
        let received = listener.one().await;
        assert_eq!(text(&received), topic);
        acknowledge(received).await;
    }
}

/// In the order given.
pub async fn a_bulk_publish_answers_each_message(broker: Broker) {
    let mut listener = broker.join("bulk", "app").await;
    let data = names("bulk", 100);
    let answers = broker
        .backend
        .bulk_publish(data.iter().map(|data| message("bulk", data)).collect())
        .await;
    assert_eq!(answers, vec![Ok(()); 100]);
    listener.drain(&data).await;
    assert!(broker.backend.bulk_publish(Vec::new()).await.is_empty());
}

/// What was published before anybody listened is kept; a broker without a history takes it and forgets it.
pub async fn a_new_group_begins_with_the_oldest_message(broker: Broker) {
    let data = names("early", 3);
    broker.publish_all("early", &data).await;
    let mut listener = broker.join("early", "first").await;
    if broker.backend.capabilities().history {
        listener.drain(&data).await;
    } else {
        broker.publish(message("early", "late")).await;
        listener.drain(&["late".to_owned()]).await;
    }
    listener.silent().await;
}

/// A group without members keeps its place.
pub async fn a_group_keeps_what_comes_while_nobody_listens(broker: Broker) {
    drop(broker.join("absent", "app").await);
    let data = names("absent", 5);
    broker.publish_all("absent", &data).await;
    let mut listener = broker.join("absent", "app").await;
    listener.drain(&data).await;
    listener.silent().await;
}

/// Two hundred messages from eight publishers at once.
pub async fn concurrent_publishers_lose_nothing(broker: Broker) {
    let mut listener = broker.join("many", "app").await;
    let data = names("many", 200);
    let publishing = futures::future::join_all(
        data.iter()
            .map(|data| broker.publish(message("many", data))),
    );
    let ((), _) = tokio::join!(listener.drain(&data), publishing);
    listener.silent().await;
}

/// Each key is a queue of its own: what waits for one does not hold up another.
pub async fn messages_of_one_key_come_in_order(broker: Broker) {
    if !broker.backend.capabilities().ordering {
        return;
    }
    let mut listener = broker.join("ordered", "app").await;
    for number in 0..5 {
        for key in ["a", "b"] {
            broker
                .publish(keyed("ordered", key, &format!("{key}{number}")))
                .await;
        }
    }
    // Only the first of each key is given out, also to another member and while one is released with a delay.
    let (one, two) = (listener.one().await, listener.one().await);
    let first: BTreeSet<String> = [text(&one), text(&two)].into();
    assert_eq!(first, ["a0", "b0"].map(str::to_owned).into());
    listener.silent().await;
    let (a, b) = if text(&one) == "a0" {
        (one, two)
    } else {
        (two, one)
    };
    a.lease
        .release(Duration::from_millis(300), crate::pubsub::Attempt::Counted)
        .await
        .expect("released");
    acknowledge(b).await;
    let mut seen = Vec::new();
    while seen.len() < 9 {
        let received = listener.one().await;
        seen.push(text(&received));
        acknowledge(received).await;
    }
    for key in ["a", "b"] {
        let own: Vec<_> = seen
            .iter()
            .filter(|data| data.starts_with(key))
            .cloned()
            .collect();
        let from = if key == "a" { 0 } else { 1 };
        let expected: Vec<_> = (from..5).map(|number| format!("{key}{number}")).collect();
        assert_eq!(own, expected);
    }
}

/// Expired messages are not given out; the others are. A broker that cannot do this is not asked to.
pub async fn a_message_with_a_ttl_expires(broker: Broker) {
    if !broker.backend.capabilities().ttl {
        return;
    }
    let second = Duration::from_secs(1);
    // The group exists, but nobody takes the messages out.
    drop(broker.join("expiring", "app").await);
    broker
        .publish(OutboundMessage {
            ttl: Some(second),
            ..message("expiring", "short")
        })
        .await;
    broker
        .publish(OutboundMessage {
            ttl: Some(second * 3600),
            ..message("expiring", "long")
        })
        .await;
    // The moment itself is what is tested: there is nothing else to wait for.
    tokio::time::sleep(second * 2).await;
    let mut listener = broker.join("expiring", "app").await;
    let received = listener.one().await;
    assert_eq!(text(&received), "long");
    acknowledge(received).await;
    listener.silent().await;
}
