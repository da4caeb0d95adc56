//! What other clients of the broker see, Dapr among them.

use super::*;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicGetOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};

/// A client that knows nothing of berth.
async fn outsider(world: &World) -> (Connection, Channel) {
    let connection = Connection::connect(&world.shared.address, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), value.clone());
    }
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dapr_publishes_is_received() {
    let world = World::with(&[]).await;
    let mut consumer = world.join_with("app", 10).await;
    let (_connection, channel) = outsider(&world).await;
    let properties = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_correlation_id("c-1".into())
        .with_headers(table(&[
            ("color", AMQPValue::LongString("red".into())),
            ("count", AMQPValue::LongInt(7)),
        ]));
    let body = br#"{"specversion":"1.0","id":"1","data":{}}"#;
    let topic = world.topic.as_str().into();
    let publish = channel.basic_publish(
        topic,
        "".into(),
        BasicPublishOptions::default(),
        body,
        properties,
    );
    publish.await.unwrap().await.unwrap();
    let received = one(&mut *consumer).await;
    assert_eq!(received.data, body.as_slice());
    assert_eq!(received.content_type.as_deref(), Some("text/plain"));
    assert_eq!(
        received.metadata,
        [("color", "red"), ("count", "7"), ("correlationid", "c-1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(received.id, "0.1");
    acknowledge(received).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_berth_publishes_is_received_by_dapr() {
    let world = World::with(&[]).await;
    let (_connection, channel) = outsider(&world).await;
    // As Dapr declares them with `durable: true`, `deletedWhenUnused: false`.
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let topic: lapin::types::ShortString = world.topic.as_str().into();
    channel
        .exchange_declare(
            topic.clone(),
            ExchangeKind::Fanout,
            options,
            FieldTable::default(),
        )
        .await
        .unwrap();
    let queue: lapin::types::ShortString = format!("dapr-app-{topic}").into();
    let classic = table(&[("x-queue-type", AMQPValue::LongString("classic".into()))]);
    channel
        .queue_declare(queue.clone(), QueueDeclareOptions::durable(), classic)
        .await
        .unwrap();
    channel
        .queue_bind(
            queue.clone(),
            topic,
            "".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let sent = OutboundMessage {
        content_type: "application/cloudevents+json".to_owned(),
        metadata: vec![("color".to_owned(), "red".to_owned())],
        ttl: Some(60 * SECOND),
        ..message(&world.topic, "{}")
    };
    world.pubsub.publish(sent).await.unwrap();
    let got = channel
        .basic_get(queue, BasicGetOptions { no_ack: true })
        .await
        .unwrap()
        .unwrap()
        .delivery;
    assert_eq!(got.data, b"{}");
    let properties = &got.properties;
    assert_eq!(properties.delivery_mode(), &Some(2));
    assert_eq!(
        properties.content_type().as_ref().unwrap().as_str(),
        "application/cloudevents+json"
    );
    assert_eq!(properties.expiration().as_ref().unwrap().as_str(), "60000");
    assert_eq!(
        properties.headers(),
        &Some(table(&[("color", AMQPValue::LongString("red".into()))]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_with_other_properties_is_used_as_it_is() {
    let world = World::with(&[("queueType", "quorum")]).await;
    let (_connection, channel) = outsider(&world).await;
    // Dapr's defaults: neither durable nor staying.
    let topic: lapin::types::ShortString = world.topic.as_str().into();
    let options = ExchangeDeclareOptions {
        auto_delete: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(
            topic.clone(),
            ExchangeKind::Fanout,
            options,
            FieldTable::default(),
        )
        .await
        .unwrap();
    let options = QueueDeclareOptions {
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(
            format!("app-{topic}").into(),
            options,
            FieldTable::default(),
        )
        .await
        .unwrap();
    let mut consumer = world.join_with("app", 10).await;
    world.publish("m").await;
    let received = one(&mut *consumer).await;
    assert_eq!(text(&received), "m");
    acknowledge(received).await;
    // The exchange goes with its last queue; the publisher declares it anew.
    drop(consumer);
    eventually("the exchange is gone and made anew", async || {
        let gone = world.pubsub.publish(message(&world.topic, "m")).await;
        matches!(gone, Err(PubSubError::Unavailable(_)))
    })
    .await;
    world.publish("m").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_kept_for_people() {
    let world = World::with(&[]).await;
    let letter = OutboundMessage {
        retain: Some(3600 * SECOND),
        ..message(&world.topic, "letter")
    };
    world.pubsub.publish(letter).await.unwrap();
    let (_connection, channel) = outsider(&world).await;
    let queue = format!("{}-retained", world.topic);
    let kept = channel
        .basic_get(queue.into(), BasicGetOptions { no_ack: true })
        .await
        .unwrap();
    assert_eq!(kept.unwrap().delivery.data, b"letter");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letter_queues_of_the_broker_are_declared_on_request() {
    let world = World::with(&[("enableDeadLetter", "true"), ("maxLen", "1")]).await;
    drop(world.join_with("app", 1).await);
    let (_connection, channel) = outsider(&world).await;
    eventually("the consumer is gone", async || {
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let queue = format!("app-{}", world.topic).into();
        let state = channel.queue_declare(queue, passive, FieldTable::default());
        state.await.unwrap().consumer_count() == 0
    })
    .await;
    world.publish("too much").await;
    world.publish("kept").await;
    let queue = format!("dlq-app-{}", world.topic);
    eventually("the oldest is a dead letter", async || {
        let letter = channel.basic_get(queue.as_str().into(), BasicGetOptions { no_ack: true });
        letter
            .await
            .unwrap()
            .is_some_and(|letter| letter.delivery.data == b"too much")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_exchange_routes_by_key() {
    let world = World::with(&[("exchangeKind", "topic")]).await;
    let request = SubscribeRequest {
        topic: world.topic.clone(),
        group: "app".to_owned(),
        prefetch: 10,
        metadata: vec![
            ("routingKey".to_owned(), "red.*, blue".to_owned()),
            ("queueName".to_owned(), format!("mine-{}", world.topic)),
        ],
    };
    let mut consumer = world.pubsub.subscribe(request).await.unwrap();
    for key in ["red.light", "green", "blue"] {
        let message = OutboundMessage {
            metadata: vec![("routingKey".to_owned(), key.to_owned())],
            ..message(&world.topic, key)
        };
        world.pubsub.publish(message).await.unwrap();
    }
    for expected in ["red.light", "blue"] {
        let received = one(&mut *consumer).await;
        assert_eq!(text(&received), expected);
        acknowledge(received).await;
    }
    assert!(is_silent(&mut *consumer).await);
}
