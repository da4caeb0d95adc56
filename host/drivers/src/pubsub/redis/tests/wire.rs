//! The form on the wire, seen from outside.

use super::*;

fn texts(value: Value) -> Vec<String> {
    redis::from_redis_value(value).unwrap()
}

/// Fields of the only entry.
async fn fields(outside: &Outside) -> Vec<String> {
    let entries = entry::array(outside.ask(&["XRANGE", "orders", "-", "+"]).await).unwrap();
    let [entry] = <[Value; 1]>::try_from(entries).unwrap();
    let [_, fields] = entry::parts(entry).unwrap();
    texts(fields)
}

#[tokio::test]
async fn an_entry_has_the_fields_of_dapr() {
    let server = TestServer::start(RedisOptions::new()).await;
    let (pubsub, outside) = (host(&server, &[]).await, Outside::of(&server).await);
    let metadata = vec![("ttlInSeconds".to_owned(), "60".to_owned())];
    let sent = OutboundMessage {
        metadata,
        ..message("{}")
    };
    pubsub.publish(sent).await.unwrap();
    let expected = ["data", "{}", "metadata", r#"{"ttlInSeconds":"60"}"#];
    assert_eq!(fields(&outside).await, expected);
}

#[tokio::test]
async fn only_what_is_no_cloud_event_has_a_content_type() {
    let server = TestServer::start(RedisOptions::new()).await;
    let (pubsub, outside) = (host(&server, &[]).await, Outside::of(&server).await);
    let content_type = "text/plain".to_owned();
    pubsub
        .publish(OutboundMessage {
            content_type,
            ..message("hi")
        })
        .await
        .unwrap();
    assert_eq!(
        fields(&outside).await,
        ["data", "hi", "contentType", "text/plain"]
    );
    let received = one(&mut *join(&pubsub).await).await;
    assert_eq!(received.content_type.as_deref(), Some("text/plain"));
}

#[tokio::test]
async fn what_dapr_wrote_is_read() {
    let server = TestServer::start(RedisOptions::new()).await;
    let (pubsub, outside) = (host(&server, &[]).await, Outside::of(&server).await);
    outside
        .ask(&["XGROUP", "CREATE", "orders", "app", "0", "MKSTREAM"])
        .await;
    let metadata = r#"{"pubsubName":"pubsub","rawPayload":"true"}"#;
    outside
        .ask(&[
            "XADD",
            "orders",
            "*",
            "data",
            "{\"id\":\"1\"}",
            "metadata",
            metadata,
        ])
        .await;
    // What is not as it should be costs nothing but itself.
    outside
        .ask(&[
            "XADD", "orders", "*", "data", "2", "metadata", "junk", "other", "x",
        ])
        .await;
    outside.ask(&["XADD", "orders", "*", "other", "x"]).await;
    let mut consumer = join(&pubsub).await;
    let received = some(&mut *consumer, 3).await;
    assert_eq!(
        received.iter().map(text).collect::<Vec<_>>(),
        ["{\"id\":\"1\"}", "2", ""]
    );
    let expected = [("pubsubName", "pubsub"), ("rawPayload", "true")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(received[0].metadata, expected);
    assert_eq!(received[1].metadata, []);
    assert_eq!(received[0].content_type, None);
}

#[tokio::test]
async fn dapr_reads_what_was_published() {
    let server = TestServer::start(RedisOptions::new()).await;
    let (pubsub, outside) = (host(&server, &[]).await, Outside::of(&server).await);
    publish_all(&pubsub, 2).await;
    // As Dapr joins, reads and acknowledges: its consumer has the group's name.
    let make = ["XGROUP", "CREATE", "orders", "app", "0", "MKSTREAM"];
    outside.ask(&make).await;
    let read = [
        "XREADGROUP",
        "GROUP",
        "app",
        "app",
        "COUNT",
        "10",
        "STREAMS",
        "orders",
        ">",
    ];
    let entries = entry::read_by_group(outside.ask(&read).await).unwrap();
    let data: Vec<_> = entries.iter().map(|entry| entry.data.clone()).collect();
    assert_eq!(data, ["m-0", "m-1"]);
    let id = entries[0].id.to_string();
    assert_eq!(outside.number(&["XACK", "orders", "app", &id]).await, 1);
    // A group that is there is joined as it is.
    let mut consumer = join(&pubsub).await;
    pubsub.publish(message("new")).await.unwrap();
    assert_eq!(text(&one(&mut *consumer).await), "new");
}

#[tokio::test]
async fn a_key_that_is_no_stream_is_no_topic() {
    let server = TestServer::start(RedisOptions::new()).await;
    let (pubsub, outside) = (host(&server, &[]).await, Outside::of(&server).await);
    outside.ask(&["SET", "orders", "x"]).await;
    let refused = pubsub.publish(message("m")).await.unwrap_err();
    assert!(matches!(refused, PubSubError::Invalid(_)), "{refused:?}");
    let refused = pubsub.subscribe(request(1)).await.err().unwrap();
    assert!(matches!(refused, PubSubError::Invalid(_)), "{refused:?}");
    assert_eq!(pubsub.depths().await, Ok(Vec::new()));
    let refused = pubsub.browse("orders", Some("first"), 1).await.unwrap_err();
    assert_eq!(
        refused,
        PubSubError::Invalid(
            "`first` is not an ID of this broker, such as 1526919030474-55".to_owned()
        )
    );
}

#[tokio::test]
async fn a_long_topic_is_cut_at_its_old_end() {
    let server = TestServer::start(RedisOptions::new()).await;
    let outside = Outside::of(&server).await;
    let pubsub = host(&server, &[("maxLenApprox", "100")]).await;
    publish_all(&pubsub, 1_000).await;
    let length = outside.number(&["XLEN", "orders"]).await;
    // Redis cuts whole nodes, of a hundred entries by default.
    assert!((100..300).contains(&length), "{length} entries");
}

#[tokio::test]
async fn old_messages_are_cut_off() {
    let server = TestServer::start(RedisOptions::new()).await;
    let outside = Outside::of(&server).await;
    for number in 1..=300 {
        // Of the year 1970.
        let id = format!("{number}-0");
        outside.ask(&["XADD", "orders", &id, "data", "old"]).await;
    }
    let forever = host(&server, &[]).await;
    forever.publish(message("new")).await.unwrap();
    assert_eq!(outside.number(&["XLEN", "orders"]).await, 301);
    let pubsub = host(&server, &[("streamTTL", "1h")]).await;
    publish_all(&pubsub, 100).await;
    let length = outside.number(&["XLEN", "orders"]).await;
    assert!((101..=201).contains(&length), "{length} entries");
}

#[tokio::test]
async fn depths_are_right_after_deletions() {
    let server = TestServer::start(RedisOptions::new()).await;
    let pubsub = host(&server, &[]).await;
    publish_all(&pubsub, 10).await;
    let mut consumer = join(&pubsub).await;
    let held = some(&mut *consumer, 3).await;
    let rest = pubsub
        .browse("orders", Some(&held[2].id), 10)
        .await
        .unwrap();
    // Redis has no count of what is left once something in between was deleted.
    assert_eq!(pubsub.remove("orders", &rest[3].id).await, Ok(true));
    let depth = |waiting, in_flight| TopicDepth {
        topic: "orders".to_owned(),
        group: Some("app".to_owned()),
        waiting,
        in_flight,
    };
    assert_eq!(pubsub.depths().await, Ok(vec![depth(6, 3)]));
    for message in held {
        let delay = Duration::from_secs(60);
        message
            .lease
            .release(delay, Attempt::Counted)
            .await
            .unwrap();
    }
    assert_eq!(pubsub.depths().await, Ok(vec![depth(9, 0)]));
}
