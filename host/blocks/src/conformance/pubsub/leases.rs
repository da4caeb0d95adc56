//! Leases: extended, released, dropped, lost.

use super::{Broker, Listener, SILENCE, acknowledge, message, text};
use crate::{
    conformance::PATIENCE,
    pubsub::{Attempt, InboundMessage},
};
use std::time::{Duration, Instant};

/// The attempts are 1, 2, 3.
pub async fn a_released_message_comes_again_and_counts(broker: Broker) {
    let mut listener = broker.join("t", "app").await;
    broker.publish(message("t", "m")).await;
    for attempt in 1..=3 {
        let received = listener.one().await;
        assert_eq!((text(&received).as_str(), received.attempt), ("m", attempt));
        received
            .lease
            .release(Duration::ZERO, Attempt::Counted)
            .await
            .expect("released");
    }
    acknowledge(listener.one().await).await;
    listener.silent().await;
}

/// A host that drains hands messages back as if it had never had them.
pub async fn an_uncounted_release_does_not_count(broker: Broker) {
    let mut listener = broker.join("t", "app").await;
    broker.publish(message("t", "m")).await;
    for _ in 0..3 {
        let received = listener.one().await;
        assert_eq!(received.attempt, 1);
        received
            .lease
            .release(Duration::ZERO, Attempt::NotCounted)
            .await
            .expect("released");
    }
}

/// Other messages do not wait for it.
pub async fn a_delayed_release_waits(broker: Broker) {
    let delay = Duration::from_millis(700);
    let mut listener = broker.join("t", "app").await;
    broker.publish(message("t", "delayed")).await;
    let received = listener.one().await;
    let released = Instant::now();
    received
        .lease
        .release(delay, Attempt::Counted)
        .await
        .expect("released");
    broker.publish(message("t", "other")).await;
    let other = listener.one().await;
    assert_eq!(text(&other), "other");
    acknowledge(other).await;
    let received = listener.one().await;
    assert_eq!((text(&received).as_str(), received.attempt), ("delayed", 2));
    // Brokers keep time in milliseconds.
    assert!(
        released.elapsed() + Duration::from_millis(20) >= delay,
        "came after {:?}",
        released.elapsed()
    );
    acknowledge(received).await;
}

/// Whatever made the handler forget it.
pub async fn a_dropped_lease_brings_the_message_back(broker: Broker) {
    let mut listener = broker.join("t", "app").await;
    broker.publish(message("t", "m")).await;
    drop(listener.one().await);
    let received = listener.one().await;
    assert_eq!(text(&received), "m");
    acknowledge(received).await;
    listener.silent().await;
}

/// The next message and who else is in the group, whichever member gets it.
async fn first_of(one: Listener, two: Listener) -> (InboundMessage, Listener, Listener) {
    let (mut one, mut two) = (one, two);
    tokio::select! {
        received = one.one() => (received, one, two),
        received = two.one() => (received, two, one),
    }
}

/// To another member; the lease that was lost can no longer be extended.
pub async fn a_lease_that_runs_out_brings_the_message_back(broker: Broker) {
    let members = (broker.join("t", "app").await, broker.join("t", "app").await);
    broker.publish(message("t", "m")).await;
    let (lost, mut slow, mut other) = first_of(members.0, members.1).await;
    let Some(lease) = lost.lease.duration() else {
        return;
    };
    assert!(
        lease <= Duration::from_secs(2),
        "open_for_test gives leases of {lease:?}"
    );
    assert!(lease < PATIENCE);
    let received = other.one().await;
    assert_eq!((text(&received).as_str(), received.attempt), ("m", 2));
    assert!(
        lost.lease.extend().await.is_err(),
        "a lost lease was extended"
    );
    drop(lost);
    received
        .lease
        .extend()
        .await
        .expect("the new lease is not touched");
    acknowledge(received).await;
    slow.silent().await;
}

/// For as long as the handler takes.
pub async fn an_extended_lease_is_kept(broker: Broker) {
    let members = (broker.join("t", "app").await, broker.join("t", "app").await);
    broker.publish(message("t", "m")).await;
    let (held, _holder, mut other) = first_of(members.0, members.1).await;
    let Some(lease) = held.lease.duration() else {
        return;
    };
    let until = Instant::now() + lease * 5 / 2;
    let extending = async {
        while Instant::now() < until {
            tokio::time::sleep(lease / 4).await;
            held.lease.extend().await.expect("the lease is extended");
        }
    };
    tokio::select! {
        () = extending => {}
        received = other.0.receive(1) => panic!("an extended message came again: {received:?}"),
    }
    acknowledge(held).await;
    tokio::time::sleep(SILENCE).await;
    other.silent().await;
}
