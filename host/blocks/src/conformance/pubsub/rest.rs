//! Messages at rest: depths, browsing, removal, retention, restarts.

use super::{Broker, acknowledge, assert_unsupported, message, names, text};
use crate::{conformance::eventually, pubsub::OutboundMessage};
use std::time::Duration;

impl Broker {
    /// Waiting and in flight; without groups what is stored.
    async fn depth(&self, topic: &str, group: Option<&str>) -> Option<(u64, u64)> {
        let depths = self.backend.depths().await.expect("depths are counted");
        let mut own = depths
            .iter()
            .filter(|depth| depth.topic == topic && depth.group.as_deref() == group);
        own.next().map(|depth| (depth.waiting, depth.in_flight))
    }

    async fn stored(&self, topic: &str) -> Vec<String> {
        let stored = self
            .backend
            .browse(topic, None, 100)
            .await
            .expect("the topic can be read");
        stored
            .iter()
            .map(|message| String::from_utf8_lossy(&message.data).into_owned())
            .collect()
    }
}

/// Per group; what is leased is in flight.
pub async fn depths_count_what_waits(broker: Broker) {
    if !broker.can_browse() {
        return assert_unsupported(broker.backend.depths().await);
    }
    broker.publish_all("t", &names("m", 2)).await;
    assert_eq!(broker.depth("t", None).await, Some((2, 0)));
    let mut listener = broker.join_with("t", "app", 1).await;
    let _other = broker.join_with("t", "other", 1).await;
    broker.publish(message("t", "m-2")).await;
    let held = listener.one().await;
    eventually("one is in flight", async || {
        broker.depth("t", Some("app")).await == Some((2, 1))
    })
    .await;
    acknowledge(held).await;
    eventually("none is in flight", async || {
        broker
            .depth("t", Some("app"))
            .await
            .is_some_and(|(waiting, in_flight)| waiting + in_flight == 2)
    })
    .await;
    eventually("the other group has all", async || {
        broker
            .depth("t", Some("other"))
            .await
            .is_some_and(|(waiting, in_flight)| waiting + in_flight == 3)
    })
    .await;
}

/// Oldest first, page by page; reading takes nothing away.
pub async fn messages_at_rest_can_be_read_and_removed(broker: Broker) {
    if !broker.can_browse() {
        assert_unsupported(broker.backend.browse("t", None, 10).await);
        return assert_unsupported(broker.backend.remove("t", "1").await);
    }
    let metadata = vec![("color".to_owned(), "red".to_owned())];
    for data in names("m", 5) {
        broker
            .publish(OutboundMessage {
                metadata: metadata.clone(),
                ..message("t", &data)
            })
            .await;
    }
    broker.publish(message("another", "x")).await;
    let first = broker
        .backend
        .browse("t", None, 2)
        .await
        .expect("the topic can be read");
    assert_eq!(first.len(), 2);
    assert!(first[0].metadata.contains(&metadata[0]));
    let rest = broker
        .backend
        .browse("t", Some(&first[1].id), 10)
        .await
        .expect("the topic can be read");
    let all: Vec<_> = first
        .iter()
        .chain(&rest)
        .map(|message| message.data.clone())
        .collect();
    assert_eq!(all, names("m", 5));
    if !broker.backend.capabilities().removal {
        return assert_unsupported(broker.backend.remove("t", &first[1].id).await);
    }
    assert_eq!(broker.backend.remove("t", &first[1].id).await, Ok(true));
    assert_eq!(broker.backend.remove("t", &first[1].id).await, Ok(false));
    // An ID is of its topic; another topic may have one that is the same.
    assert_eq!(
        broker.backend.remove("elsewhere", &rest[0].id).await,
        Ok(false)
    );
    assert_eq!(broker.stored("t").await, ["m-0", "m-2", "m-3", "m-4"]);
    let left = ["m-0", "m-2", "m-3", "m-4"].map(str::to_owned);
    let mut listener = broker.join("t", "app").await;
    listener.drain(&left).await;
    listener.silent().await;
}

/// Dead letters are for people: consumed or not, they can be read for a while. What is not kept goes when every group
/// has consumed it, or stays where the broker is a log.
pub async fn retained_messages_outlive_their_groups(broker: Broker) {
    if !broker.can_browse() {
        return;
    }
    let mut listener = broker.join("t", "app").await;
    broker
        .publish(OutboundMessage {
            retain: Some(Duration::from_secs(3600)),
            ..message("t", "kept")
        })
        .await;
    broker.publish(message("t", "not kept")).await;
    listener
        .drain(&["kept", "not kept"].map(str::to_owned))
        .await;
    let is_log = broker.backend.capabilities().log;
    let left: &[&str] = if is_log {
        &["kept", "not kept"]
    } else {
        &["kept"]
    };
    eventually("only what is kept is left", async || {
        broker.stored("t").await == left
    })
    .await;
    eventually("nothing waits", async || {
        broker
            .depth("t", Some("app"))
            .await
            .is_some_and(|(waiting, _)| waiting == 0)
    })
    .await;
    listener.silent().await;
}

/// Acknowledged messages do not come again, all others do; only where the broker is durable.
pub async fn what_was_published_survives_a_restart(broker: Broker) {
    if !broker.backend.capabilities().durable {
        return;
    }
    let mut listener = broker.join("t", "app").await;
    broker.publish_all("t", &names("m", 3)).await;
    let first = listener.one().await;
    let done = text(&first);
    acknowledge(first).await;
    let leased = listener.one().await;
    drop(listener);
    let restart = broker.restarted();
    // The lease dies with its broker.
    drop(leased);
    let Some(broker) = restart.await else { return };
    let left: Vec<_> = names("m", 3)
        .into_iter()
        .filter(|data| *data != done)
        .collect();
    let mut listener = broker.join("t", "app").await;
    listener.drain(&left).await;
    listener.silent().await;
}
