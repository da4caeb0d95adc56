//! Consumer groups, and handlers that fail.

use super::{Broker, PATIENCE, acknowledge, message, names, text};
use crate::pubsub::Attempt;
use std::{collections::BTreeMap, collections::BTreeSet, time::Duration};

/// Each message goes to one of them.
pub async fn members_of_a_group_compete(broker: Broker) {
    let mut members = [
        broker.join("shared", "app").await,
        broker.join("shared", "app").await,
    ];
    let data = names("shared", 40);
    broker.publish_all("shared", &data).await;
    let mut seen = Vec::new();
    let [one, two] = &mut members;
    while seen.len() < data.len() {
        let received = tokio::select! {
            received = one.0.receive(3) => received,
            received = two.0.receive(3) => received,
            () = tokio::time::sleep(PATIENCE) => panic!("only {} messages came", seen.len()),
        };
        for message in received.expect("receiving succeeds") {
            seen.push(text(&message));
            acknowledge(message).await;
        }
    }
    one.silent().await;
    two.silent().await;
    assert_eq!(seen.len(), data.len());
    assert_eq!(
        seen.into_iter().collect::<BTreeSet<_>>(),
        data.into_iter().collect()
    );
}

/// A group that does nothing keeps nothing from another.
pub async fn groups_each_get_a_copy(broker: Broker) {
    let mut one = broker.join("copied", "one").await;
    let mut two = broker.join("copied", "two").await;
    let _idle = broker.join("copied", "idle").await;
    let data = names("copied", 10);
    broker.publish_all("copied", &data).await;
    one.drain(&data).await;
    two.drain(&data).await;
    one.silent().await;
}

/// Two topics, two consumers, one group name.
pub async fn topics_do_not_mix(broker: Broker) {
    let mut one = broker.join("one", "app").await;
    let mut two = broker.join("two", "app").await;
    let (first, second) = (names("first", 10), names("second", 10));
    broker.publish_all("one", &first).await;
    broker.publish_all("two", &second).await;
    one.drain(&first).await;
    two.drain(&second).await;
    one.silent().await;
    two.silent().await;
}

/// The handler fails the first two times and then every fifth: every message is handled in the end.
pub async fn handlers_that_fail_see_every_message_in_the_end(broker: Broker) {
    let mut listener = broker.join("failing", "app").await;
    let data = names("failing", 20);
    broker.publish_all("failing", &data).await;
    let mut handled = BTreeSet::new();
    let mut attempts: BTreeMap<String, u32> = BTreeMap::new();
    let mut calls = 0;
    while handled.len() < data.len() {
        let received = listener.one().await;
        calls += 1;
        let text = text(&received);
        let before = attempts.insert(text.clone(), received.attempt).unwrap_or(0);
        assert!(
            received.attempt >= before,
            "attempt {} after {before} of {text}",
            received.attempt
        );
        if calls <= 2 || calls % 5 == 0 {
            received
                .lease
                .release(Duration::ZERO, Attempt::Counted)
                .await
                .expect("released");
        } else {
            acknowledge(received).await;
            assert!(handled.insert(text), "an acknowledged message came again");
        }
    }
    listener.silent().await;
}

/// Its group keeps its place, and what it had leased comes again.
pub async fn a_stopped_consumer_leaves_the_others_alone(broker: Broker) {
    let mut stopping = broker.join("one", "app").await;
    let mut staying = broker.join("two", "app").await;
    broker.publish(message("one", "before")).await;
    acknowledge(stopping.one().await).await;
    broker.publish(message("one", "leased")).await;
    let leased = stopping.one().await;
    drop(stopping);
    drop(leased);
    broker.publish(message("one", "after")).await;
    broker.publish(message("two", "still")).await;
    staying.drain(&["still".to_owned()]).await;
    let mut again = broker.join("one", "app").await;
    again.drain(&["leased", "after"].map(str::to_owned)).await;
    again.silent().await;
}

/// Released or acknowledged messages make room.
pub async fn prefetch_bounds_what_is_leased(broker: Broker) {
    let mut listener = broker.join_with("bounded", "app", 3).await;
    broker.publish_all("bounded", &names("bounded", 10)).await;
    let mut held = Vec::new();
    while held.len() < 3 {
        held.extend(listener.some(10).await);
    }
    assert_eq!(held.len(), 3);
    if held[0]
        .lease
        .duration()
        .is_none_or(|lease| lease > super::SILENCE * 2)
    {
        listener.silent().await;
    }
    acknowledge(held.remove(0)).await;
    acknowledge(listener.one().await).await;
}

/// Whoever stops waiting has lost nothing.
pub async fn receiving_is_cancel_safe(broker: Broker) {
    let mut listener = broker.join("cancelled", "app").await;
    let data = names("cancelled", 30);
    let mut seen = BTreeSet::new();
    for data in &data {
        broker.publish(message("cancelled", data)).await;
        for patience in [0, 1, 3] {
            let waited =
                tokio::time::timeout(Duration::from_millis(patience), listener.0.receive(2)).await;
            for message in waited
                .into_iter()
                .flat_map(|answer| answer.expect("receiving succeeds"))
            {
                seen.insert(text(&message));
                acknowledge(message).await;
            }
        }
    }
    while seen.len() < data.len() {
        let received = listener.one().await;
        seen.insert(text(&received));
        acknowledge(received).await;
    }
}
