//! Groups: what is committed when, and what happens when partitions move.

use super::*;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

/// Where the child of [`what_a_killed_host_held_goes_to_the_next`] finds its brokers.
const CHILD: &str = "BERTH_TEST_KAFKA_CHILD";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offset_is_committed_when_all_before_it_are_finished() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 1);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    for data in ["0", "1", "2"] {
        publish(&pubsub, message("orders", data)).await;
    }
    let mut consumer = join(&pubsub, "orders", "app").await;
    let (first, second, third) = (
        one(&mut *consumer).await,
        one(&mut *consumer).await,
        one(&mut *consumer).await,
    );
    acknowledge(second).await;
    // Longer than it takes to commit.
    silent(&mut *consumer).await;
    let nothing = committed_of(&kafka, "app", "orders", 1).await;
    assert!(matches!(nothing[..], [None | Some(0)]), "{nothing:?}");
    acknowledge(first).await;
    eventually("the first two are committed", async || {
        committed_of(&kafka, "app", "orders", 1).await == [Some(2)]
    })
    .await;
    // What is not finished comes again to the next host.
    let held = third;
    drop(consumer);
    drop(held);
    drop(pubsub);
    let next = open_at(&kafka.brokers(), &[]).await;
    let mut consumer = join(&next, "orders", "app").await;
    let again = one(&mut *consumer).await;
    assert_eq!((text(&again).as_str(), again.attempt), ("2", 1));
    acknowledge(again).await;
    silent(&mut *consumer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_outlives_its_consumer_and_is_committed() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 1);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    publish(&pubsub, message("orders", "0")).await;
    let mut consumer = join(&pubsub, "orders", "app").await;
    let held = one(&mut *consumer).await;
    // A host that drains stops fetching and lets its handlers finish.
    drop(consumer);
    tokio::time::sleep(Duration::from_millis(600)).await;
    held.lease.extend().await.unwrap();
    acknowledge(held).await;
    eventually("it is committed", async || {
        committed_of(&kafka, "app", "orders", 1).await == [Some(1)]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_handler_stays_in_its_group() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 1);
    let pubsub = open_at(&kafka.brokers(), &[("sessionTimeout", "1s")]).await;
    publish(&pubsub, message("orders", "0")).await;
    let mut consumer = join(&pubsub, "orders", "app").await;
    let held = one(&mut *consumer).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    held.lease.extend().await.unwrap();
    acknowledge(held).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_move_with_what_is_not_finished() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 2);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    for number in 0..20 {
        let partition = vec![("partitionNumber".to_owned(), (number % 2).to_string())];
        let sent = OutboundMessage {
            metadata: partition,
            ..message("orders", &number.to_string())
        };
        publish(&pubsub, sent).await;
    }
    let mut first = join(&pubsub, "orders", "app").await;
    let mut held = Vec::new();
    while held.len() < 20 {
        held.extend(first.receive(20).await.unwrap());
    }
    // Of each partition the first half is finished.
    let mut done = BTreeSet::new();
    let (finished, open): (Vec<_>, Vec<_>) = held
        .into_iter()
        .partition(|message| text(message).parse::<u32>().unwrap() < 10);
    for message in finished {
        done.insert(text(&message));
        acknowledge(message).await;
    }
    // The mock takes no offsets while a group gathers its members; Kafka does.
    eventually("what is finished is committed", async || {
        committed_of(&kafka, "app", "orders", 2).await == [Some(5), Some(5)]
    })
    .await;
    let other = open_at(&kafka.brokers(), &[]).await;
    let mut second = join(&other, "orders", "app").await;
    eventually("the leases are void", async || {
        open[0].lease.extend().await.is_err()
    })
    .await;
    for message in open {
        let refused = message.lease.acknowledge().await.unwrap_err();
        assert!(matches!(refused, PubSubError::Unavailable(_)), "{refused}");
    }
    let mut members = BTreeSet::new();
    while done.len() < 20 {
        let (member, received) = tokio::select! {
            received = first.receive(1) => ("first", received),
            received = second.receive(1) => ("second", received),
            () = tokio::time::sleep(PATIENCE) => panic!("only {done:?} came"),
        };
        members.insert(member);
        for message in received.unwrap() {
            assert!(done.insert(text(&message)), "a finished message came again");
            acknowledge(message).await;
        }
    }
    assert_eq!(members, ["first", "second"].into());
    let all = [Some(10), Some(10)];
    eventually("all is committed", async || {
        committed_of(&kafka, "app", "orders", 2).await == all
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_message_holds_back_its_own_key_only() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 1);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    publish(&pubsub, keyed("orders", "bad", "poison")).await;
    publish(&pubsub, keyed("orders", "bad", "after")).await;
    for number in 0..10 {
        publish(&pubsub, keyed("orders", &format!("good-{number}"), "fine")).await;
    }
    let mut consumer = join(&pubsub, "orders", "app").await;
    let (mut attempts, mut fine) = (0, 0);
    while fine < 10 || attempts < 5 {
        let received = one(&mut *consumer).await;
        match text(&received).as_str() {
            "poison" => {
                attempts += 1;
                assert_eq!(received.attempt, attempts);
                let released = received
                    .lease
                    .release(Duration::from_millis(10), Attempt::Counted);
                released.await.unwrap();
            }
            "fine" => {
                fine += 1;
                acknowledge(received).await;
            }
            other => panic!("{other} overtook the poison"),
        }
    }
    // Dead-lettered at last: the rest of its key goes on.
    acknowledge(one(&mut *consumer).await).await;
    assert_eq!(text(&one(&mut *consumer).await), "after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_retries_a_failed_message_is_skipped() {
    let kafka = MockKafka::start(1);
    let pubsub = open_at(&kafka.brokers(), &[("consumeRetryEnabled", "false")]).await;
    publish(&pubsub, keyed("orders", "k", "0")).await;
    publish(&pubsub, keyed("orders", "k", "1")).await;
    let mut consumer = join(&pubsub, "orders", "app").await;
    let failed = one(&mut *consumer).await;
    failed
        .lease
        .release(Duration::ZERO, Attempt::Counted)
        .await
        .unwrap();
    assert_eq!(text(&one(&mut *consumer).await), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_asks_for_it_begins_with_the_newest() {
    let kafka = MockKafka::start(1);
    let pubsub = open_at(&kafka.brokers(), &[("initialOffset", "newest")]).await;
    publish(&pubsub, message("orders", "old")).await;
    let mut consumer = join(&pubsub, "orders", "app").await;
    let publishing = async {
        loop {
            publish(&pubsub, message("orders", "new")).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let received = tokio::select! {
        received = one(&mut *consumer) => received,
        () = publishing => unreachable!(),
    };
    assert_eq!(text(&received), "new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_may_name_the_group() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 1);
    let pubsub = open_at(&kafka.brokers(), &[("consumerGroup", "ours")]).await;
    publish(&pubsub, message("orders", "0")).await;
    let mut consumer = join(&pubsub, "orders", "app").await;
    acknowledge(one(&mut *consumer).await).await;
    eventually("it is committed", async || {
        committed_of(&kafka, "ours", "orders", 1).await == [Some(1)]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_host_held_goes_to_the_next() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 1);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    for data in ["0", "1", "2"] {
        publish(&pubsub, message("orders", data)).await;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "pubsub::kafka::tests::groups::child",
            "--ignored",
            "--nocapture",
        ])
        .env(CHILD, kafka.brokers())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.find(|line| line.as_ref().unwrap().contains("holds 1"));
    assert!(said.is_some(), "the child ended early");
    child.kill().unwrap();
    child.wait().unwrap();
    let mut consumer = join(&pubsub, "orders", "app").await;
    let (first, second) = (one(&mut *consumer).await, one(&mut *consumer).await);
    assert_eq!([text(&first), text(&second)], ["1", "2"]);
    acknowledge(first).await;
    acknowledge(second).await;
    silent(&mut *consumer).await;
}

/// Not a test of its own: finishes one message, commits it, and is killed with the next in hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of `what_a_killed_host_held_goes_to_the_next`"]
async fn child() {
    let Ok(brokers) = std::env::var(CHILD) else {
        return;
    };
    let pubsub = open_at(&brokers, &[]).await;
    let mut consumer = join(&pubsub, "orders", "app").await;
    acknowledge(one(&mut *consumer).await).await;
    let held = one(&mut *consumer).await;
    let asked = brokers.clone();
    eventually("the first is committed", async || {
        let brokers = asked.clone();
        let asking = move || committed(&brokers, "app", "orders", 1);
        tokio::task::spawn_blocking(asking).await.unwrap() == [Some(1)]
    })
    .await;
    // The parent waits for this line.
    #[allow(clippy::print_stdout, reason = "how the child tells its parent")]
    {
        println!("holds {}", text(&held));
    }
    std::future::pending().await
}
