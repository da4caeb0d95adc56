//! What becomes of a message after the app's answer.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_reaches_its_route_with_its_trace() {
    let host = Host::start(App::default(), vec![plan(subscription("t"))]).await;
    host.publish("t", "hello", PublishOptions::default()).await;
    host.until("it is delivered", async |host| !host.app.data().is_empty())
        .await;
    host.idle("t").await;
    let seen = host.app.seen.lock();
    let (_, delivery) = &seen[0];
    assert_eq!(
        (&*delivery.route, &*delivery.topic, delivery.attempt),
        ("/handle", "t", 1)
    );
    assert_eq!(delivery.event.data, "hello");
    assert_eq!(delivery.event.source, "publisher");
    assert_eq!(
        delivery.trace.context().trace_id(),
        "0af7651916cd43dd8448eb211c80319c"
    );
    assert_eq!(
        CloudEvent::parse(&delivery.envelope).unwrap(),
        delivery.event
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_policy_the_first_failure_is_a_dead_letter() {
    let host = Host::start(
        App::answering([retry()]),
        vec![plan(with_dead_letters("t"))],
    )
    .await;
    host.publish("t", "poison", PublishOptions::default()).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    host.idle("t").await;
    let letter = host.stored("dead").await.remove(0);
    assert_eq!(mark(&letter, dead_letter::TOPIC), "t");
    assert_eq!(mark(&letter, dead_letter::APP), "orders");
    assert_eq!(mark(&letter, dead_letter::REASON), "not now");
    assert_eq!(mark(&letter, dead_letter::ATTEMPTS), "1");
    assert_eq!(CloudEvent::parse(&letter.data).unwrap().data, "poison");
    assert_eq!(host.app.data(), ["poison"]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_can_be_sent_again() {
    let host = Host::start(
        App::answering([retry()]),
        vec![plan(with_dead_letters("t"))],
    )
    .await;
    host.publish("t", "late", PublishOptions::default()).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    let letter = host.stored("dead").await.remove(0);
    let topics = host.blocks.topics(&Namespace::default(), "pubsub");
    assert_eq!(topics.resend("dead", &letter.id).await, Ok("t".to_owned()));
    host.until("it is delivered again", async |host| {
        host.app.data().len() == 2
    })
    .await;
    assert!(host.stored("dead").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_a_dead_letter_topic_the_broker_delivers_again_later_and_later() {
    let app = App::answering([retry(), retry(), retry()]);
    let host = Host::start(app, vec![plan(subscription("t"))]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    host.until("it is handled", async |host| host.app.data().len() == 4)
        .await;
    host.idle("t").await;
    assert_eq!(host.app.attempts(), [1, 2, 3, 4]);
    let moments: Vec<u64> = host
        .app
        .seen
        .lock()
        .iter()
        .map(|(moment, _)| moment.as_secs())
        .collect();
    assert_eq!(moments, [0, 1, 3, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_tries_again_in_place_then_buries() {
    let app = App::answering(std::iter::repeat_with(retry).take(4));
    let plan = vec![plan(with_dead_letters("t"))];
    let host = Host::under(constant(20, 3), app, plan).await;
    host.publish("t", "m", PublishOptions::default()).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    host.idle("t").await;
    // The pauses are longer than the lease: it was extended, or another attempt would have come in between.
    assert_eq!(host.app.attempts(), [1, 2, 3, 4]);
    let moments: Vec<u64> = host
        .app
        .seen
        .lock()
        .iter()
        .map(|(moment, _)| moment.as_secs())
        .collect();
    assert_eq!(moments, [0, 20, 40, 60]);
    assert_eq!(
        mark(&host.stored("dead").await[0], dead_letter::ATTEMPTS),
        "4"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drop_is_buried_at_once_or_discarded() {
    let dropped = || DeliveryOutcome::Drop("never".to_owned());
    let subscriptions = vec![
        plan(with_dead_letters("buried")),
        plan(subscription("gone")),
    ];
    let app = App::answering([dropped(), dropped()]);
    let host = Host::under(constant(1, 5), app, subscriptions).await;
    host.publish("buried", "m", PublishOptions::default()).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    host.publish("gone", "m", PublishOptions::default()).await;
    host.until("it is delivered", async |host| host.app.data().len() == 2)
        .await;
    host.idle("gone").await;
    host.idle("buried").await;
    assert_eq!(host.app.attempts(), [1, 1]);
}
