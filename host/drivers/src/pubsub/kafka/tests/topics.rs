//! Looking into topics.

use super::*;

async fn ids(pubsub: &KafkaPubSub, after: Option<&str>, limit: u32) -> Vec<String> {
    let page = pubsub.browse("orders", after, limit).await.unwrap();
    page.into_iter().map(|message| message.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other_from_wherever_one_looks() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 3);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    for number in 0..9 {
        publish(&pubsub, keyed("orders", &number.to_string(), "x")).await;
    }
    let all = ids(&pubsub, None, 100).await;
    assert_eq!(all.len(), 9);
    // Page by page, as the command line reads.
    let mut paged = Vec::new();
    loop {
        let page = ids(&pubsub, paged.last().map(String::as_str), 2).await;
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
    // From a message that no page ended with.
    let fresh = open_at(&kafka.brokers(), &[]).await;
    assert_eq!(ids(&fresh, Some(&all[4]), 100).await, all[5..]);
    assert_eq!(ids(&fresh, Some("0-1000"), 100).await, Vec::<String>::new());
    let wrong = fresh.browse("orders", Some("x"), 1).await.unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "`x` is no ID of a message: expected `<partition>-<offset>`"
    );
    assert_eq!(fresh.browse("nothing", None, 10).await, Ok(Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_counted_over_partitions_and_members() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 4);
    kafka.create_topic("unread", 2);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    for number in 0..10 {
        publish(&pubsub, keyed("orders", &number.to_string(), "x")).await;
        publish(&pubsub, message("unread", "x")).await;
    }
    let (mut one_member, _other) = (
        join(&pubsub, "orders", "app").await,
        join(&pubsub, "orders", "app").await,
    );
    let held = one(&mut *one_member).await;
    let lines = async || {
        let depths = pubsub.depths().await.unwrap();
        let line = |depth: &TopicDepth| {
            let group = depth.group.as_deref().unwrap_or("-");
            format!(
                "{}/{group}: {}+{}",
                depth.topic, depth.waiting, depth.in_flight
            )
        };
        depths.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(lines().await, ["orders/app: 9+1", "unread/-: 10+0"]);
    acknowledge(held).await;
    eventually("one is finished", async || {
        lines().await == ["orders/app: 9+0", "unread/-: 10+0"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_removed() {
    let kafka = MockKafka::start(1);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    let refused = pubsub.remove("orders", "0-0").await.unwrap_err();
    assert_eq!(
        refused,
        PubSubError::Unsupported(
            "Kafka removes no single messages: those of topic `orders` go when its `retention.ms` is over".to_owned()
        )
    );
}
