//! What travels, as other clients read and write it.

use super::*;
use rdkafka::{
    message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::collections::{BTreeMap, BTreeSet};

/// The first `count` messages of a topic, shown by another client.
async fn raw<T: Send + 'static>(
    kafka: &MockKafka,
    topic: &'static str,
    count: usize,
    show: fn(&BorrowedMessage<'_>) -> T,
) -> Vec<T> {
    let reader = bare(&kafka.brokers(), "bare");
    let reading = move || {
        reader.subscribe(&[topic]).unwrap();
        let mut seen = Vec::new();
        let deadline = std::time::Instant::now() + PATIENCE;
        while seen.len() < count {
            assert!(std::time::Instant::now() < deadline, "a message comes");
            // Rebalances come this way, too, and show nothing.
            if let Some(message) = reader.poll(Duration::from_secs(1)) {
                seen.push(show(&message.unwrap()));
            }
        }
        seen
    };
    tokio::task::spawn_blocking(reading).await.unwrap()
}

fn headers(message: &BorrowedMessage<'_>) -> BTreeMap<String, String> {
    let headers = message.headers().unwrap().iter();
    headers
        .map(|header| {
            let value = String::from_utf8_lossy(header.value.unwrap()).into_owned();
            (header.key.to_owned(), value)
        })
        .collect()
}

/// FNV-1a as the client of Dapr takes a partition by it.
fn partition_of(key: &str, partitions: i32) -> i32 {
    let mut hash = 2_166_136_261_u32;
    for byte in key.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    }
    (hash.cast_signed() % partitions).abs()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_travels_as_headers() {
    let kafka = MockKafka::start(1);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    let sent = OutboundMessage {
        content_type: "application/cloudevents+json".to_owned(),
        metadata: vec![
            ("color".to_owned(), "red".to_owned()),
            ("partitionKey".to_owned(), "k".to_owned()),
        ],
        ..keyed("orders", "k", "{}")
    };
    publish(&pubsub, sent).await;
    let seen = raw(&kafka, "orders", 1, |message| {
        let key = message.key().map(<[u8]>::to_vec);
        (headers(message), key, message.payload().unwrap().to_vec())
    });
    let expected = [
        ("color", "red"),
        ("content-type", "application/cloudevents+json"),
        ("partitionKey", "k"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(
        seen.await,
        [(expected.into(), Some(b"k".to_vec()), b"{}".to_vec())]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dapr_wrote_is_read() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 1);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.brokers())
        .create()
        .unwrap();
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "traceparent",
            value: Some("00-1"),
        })
        .insert(Header {
            key: "note",
            value: Some("a b/c"),
        })
        .insert(Header {
            key: "empty",
            value: None::<&str>,
        });
    let record = BaseRecord::to("orders")
        .key("k")
        .payload("{}")
        .headers(headers)
        .timestamp(1_700_000_000_000);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    tokio::task::spawn_blocking(move || producer.flush(PATIENCE).unwrap())
        .await
        .unwrap();
    for (escape, note) in [("false", "a b/c"), ("true", "a+b%2Fc")] {
        let pubsub = open_at(&kafka.brokers(), &[("escapeHeaders", escape)]).await;
        let mut consumer = join(&pubsub, "orders", &format!("app-{escape}")).await;
        let received = one(&mut *consumer).await;
        assert_eq!(
            (text(&received).as_str(), received.id.as_str()),
            ("{}", "0-0")
        );
        assert_eq!(received.content_type, None);
        let metadata: BTreeMap<_, _> = received.metadata.iter().cloned().collect();
        let expected = [
            ("traceparent", "00-1"),
            ("note", note),
            ("empty", ""),
            ("__key", "k"),
            ("__topic", "orders"),
            ("__partition", "0"),
            ("__offset", "0"),
            ("__timestamp", "1700000000000"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(metadata, expected.into());
        let published = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(received.published_at, Some(published));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_spread_over_partitions_as_with_dapr() {
    let kafka = MockKafka::start(2);
    kafka.create_topic("orders", 8);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    let keys: Vec<String> = (0..32).map(|number| format!("customer-{number}")).collect();
    let sent = keys
        .iter()
        .chain(&keys)
        .map(|key| keyed("orders", key, "x"));
    let answers = pubsub.bulk_publish(sent.collect()).await;
    assert_eq!(answers, vec![Ok(()); 64]);
    let seen = raw(&kafka, "orders", 64, |message| {
        let key = String::from_utf8_lossy(message.key().unwrap()).into_owned();
        (key, message.partition())
    });
    let seen: BTreeSet<(String, i32)> = seen.await.into_iter().collect();
    let expected = keys.iter().map(|key| (key.clone(), partition_of(key, 8)));
    assert_eq!(seen, expected.collect());
    assert!(
        seen.iter()
            .map(|(_, partition)| partition)
            .collect::<BTreeSet<_>>()
            .len()
            > 4
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_compression_is_written_and_read() {
    let kafka = MockKafka::start(1);
    for compression in ["gzip", "snappy", "lz4", "zstd"] {
        let pubsub = open_at(&kafka.brokers(), &[("compression", compression)]).await;
        let data = compression.repeat(1_000);
        publish(&pubsub, message(compression, &data)).await;
        let mut consumer = join(&pubsub, compression, "app").await;
        assert_eq!(text(&one(&mut *consumer).await), data);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_is_refused() {
    let kafka = MockKafka::start(1);
    let pubsub = open_at(&kafka.brokers(), &[("maxMessageBytes", "2000")]).await;
    let with = |name: &str, value: &str| OutboundMessage {
        metadata: vec![(name.to_owned(), value.to_owned())],
        ..message("orders", "x")
    };
    let large = pubsub.publish(message("orders", &"x".repeat(4_000))).await;
    assert_eq!(
        large.unwrap_err(),
        PubSubError::TooLarge(
            "publishing: the message is larger than `maxMessageBytes` or the broker's `message.max.bytes`".to_owned()
        )
    );
    let schema = pubsub.publish(with("valueSchemaType", "Avro")).await;
    assert!(
        matches!(schema, Err(PubSubError::Unsupported(_))),
        "{schema:?}"
    );
    let partition = pubsub.publish(with("partitionNumber", "-1")).await;
    assert!(
        matches!(partition, Err(PubSubError::Invalid(_))),
        "{partition:?}"
    );
    let partition = pubsub.publish(with("partitionNumber", "99")).await;
    assert!(
        matches!(partition, Err(PubSubError::Invalid(_))),
        "{partition:?}"
    );
}
