//! What reaches the app, and in which form.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_no_event_never_reaches_the_app() {
    let host = Host::start(App::default(), vec![plan(with_dead_letters("t"))]).await;
    let raw = PublishOptions {
        raw: true,
        ..PublishOptions::default()
    };
    host.publish("t", "just bytes", raw).await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    assert!(host.app.data().is_empty());
    let letter = host.stored("dead").await.remove(0);
    assert_eq!(letter.data, "just bytes");
    assert!(
        mark(&letter, dead_letter::REASON).starts_with("not a CloudEvent"),
        "{letter:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_raw_subscription_wraps_what_comes() {
    let metadata = vec![("rawPayload".to_owned(), "true".to_owned())];
    let host = Host::start(
        App::default(),
        vec![plan(Subscription {
            metadata,
            ..subscription("t")
        })],
    )
    .await;
    host.publish(
        "t",
        "just bytes",
        PublishOptions {
            raw: true,
            ..PublishOptions::default()
        },
    )
    .await;
    host.until("it is delivered", async |host| !host.app.data().is_empty())
        .await;
    let (_, delivery) = host.app.seen.lock().remove(0);
    assert_eq!(delivery.event.data, "just bytes");
    assert_eq!(delivery.event.source, "Dapr");
    assert_eq!(
        delivery.event.data_content_type.as_deref(),
        Some("application/octet-stream")
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_no_rule_wants_is_gone() {
    let nobody = Subscription {
        default_route: None,
        ..with_dead_letters("t")
    };
    let host = Host::start(App::default(), vec![plan(nobody)]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    host.idle("t").await;
    assert!(host.app.data().is_empty() && host.stored("dead").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_expired_event_is_buried() {
    let host = Host::start(App::default(), vec![plan(with_dead_letters("t"))]).await;
    let event = r#"{"specversion":"1.0","type":"a","source":"b","id":"1","expiration":"2020-01-01T00:00:00Z"}"#;
    host.publish(
        "t",
        event,
        PublishOptions {
            raw: true,
            ..PublishOptions::default()
        },
    )
    .await;
    host.until("the dead letter is there", async |host| {
        !host.stored("dead").await.is_empty()
    })
    .await;
    assert!(host.app.data().is_empty());
}
