//! What stands in the server.

use super::*;
use std::collections::BTreeMap;

async fn fields(outside: &Outside, key: &str) -> BTreeMap<String, String> {
    outside.tell(&format!("HGETALL {key}")).await
}

fn map<const N: usize>(fields: [(&str, &str); N]) -> BTreeMap<String, String> {
    fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[tokio::test]
async fn a_value_has_the_fields_that_dapr_reads() {
    let server = Server::start(RedisOptions::new()).await;
    let (store, outside) = (store_of(&server, &[]).await, Outside::of(&server).await);
    store.set(set("app||k", "v")).await.unwrap();
    let expected = map([("data", "v"), ("version", "1")]);
    assert_eq!(fields(&outside, "app||k").await, expected);
    store.set(set("app||k", "w")).await.unwrap();
    let expected = map([("data", "w"), ("version", "2")]);
    assert_eq!(fields(&outside, "app||k").await, expected);
    let first = SetRequest {
        precondition: Precondition::Absent,
        ..set("app||first", "v")
    };
    store.set(first).await.unwrap();
    let expected = map([("data", "v"), ("version", "1"), ("first-write", "0")]);
    assert_eq!(fields(&outside, "app||first").await, expected);
}

#[tokio::test]
async fn a_value_that_dapr_wrote_is_read() {
    let server = Server::start(RedisOptions::new()).await;
    let (store, outside) = (store_of(&server, &[]).await, Outside::of(&server).await);
    let () = outside.tell("HSET app||k data {} first-write 0").await;
    let () = outside.tell("HINCRBY app||k version 7").await;
    let () = outside.tell("EXPIRE app||k 60").await;
    let entry = store.entry_of("app||k").await.unwrap();
    assert_eq!((&entry.value[..], entry.etag.as_str()), (&b"{}"[..], "7"));
    let keys = store.list_keys("app||", 10, None).await.unwrap();
    assert_eq!((keys.keys, keys.next), (vec!["app||k".to_owned()], None));
    let next = SetRequest {
        precondition: Precondition::Etag("7".to_owned()),
        ..set("app||k", "[]")
    };
    store.set(next).await.unwrap();
    let expected = map([("data", "[]"), ("version", "8"), ("first-write", "0")]);
    assert_eq!(fields(&outside, "app||k").await, expected);
    let ttl: i64 = outside.tell("TTL app||k").await;
    assert_eq!(ttl, -1, "a write without a time to live removes it");
}

#[tokio::test]
async fn a_write_by_dapr_makes_the_note_void() {
    let server = Server::start(RedisOptions::new()).await;
    let (store, outside) = (store_of(&server, &[]).await, Outside::of(&server).await);
    let noted = SetRequest {
        ttl: Some(Duration::from_secs(60)),
        content_type: Some("application/json".to_owned()),
        ..set("k", "{}")
    };
    store.set(noted).await.unwrap();
    let entry = store.entry_of("k").await.unwrap();
    assert_eq!(entry.content_type.as_deref(), Some("application/json"));
    assert!(entry.expires_at.is_some());
    let left: i64 = outside.tell("PTTL k").await;
    assert!((1..=60_000).contains(&left), "{left}");

    let () = outside.tell("HSET k data text").await;
    let () = outside.tell("HINCRBY k version 1").await;
    let () = outside.tell("PERSIST k").await;
    let entry = store.entry_of("k").await.unwrap();
    assert_eq!(
        entry,
        Entry {
            value: "text".into(),
            etag: "2".to_owned(),
            content_type: None,
            expires_at: None,
        }
    );
}

#[tokio::test]
async fn what_is_no_hash_is_read_if_it_is_text_and_replaced_by_a_write() {
    let server = Server::start(RedisOptions::new()).await;
    let (store, outside) = (store_of(&server, &[]).await, Outside::of(&server).await);
    let () = outside.tell("SET text plain").await;
    let () = outside.tell("RPUSH list one").await;
    let () = outside.tell("HSET foreign field value").await;
    let () = outside.tell("HSET unversioned data value").await;
    let entry = store.entry_of("text").await.unwrap();
    assert_eq!(
        (&entry.value[..], entry.etag.as_str()),
        (&b"plain"[..], "0")
    );
    let keys = ["text", "list", "foreign", "unversioned"].map(str::to_owned);
    let answers = store.bulk_get(&keys, &GetOptions::default()).await;
    assert!(
        matches!(
            &answers[..],
            [Ok(Some(text)), Err(StateError::Other(_)), Ok(None), Ok(Some(unversioned))]
                if text.etag == "0" && unversioned.etag == "0"
        ),
        "{answers:?}"
    );
    // By a write of its own, and as a step of a transaction.
    for (place, key) in keys.iter().enumerate() {
        let absent = SetRequest {
            precondition: Precondition::Absent,
            ..set(key, "v")
        };
        assert!(matches!(
            store.set(absent).await,
            Err(StateError::Conflict(_))
        ));
        let same = SetRequest {
            precondition: Precondition::Etag("0".to_owned()),
            ..set(key, "v")
        };
        let answer = match place % 2 {
            0 => store.set(same).await,
            _ => {
                let steps = [Operation::Set(same), Operation::Delete(delete("other"))];
                store.transact(steps.to_vec()).await
            }
        };
        assert_eq!(answer, Ok(()), "{key}");
        assert_eq!(store.entry_of(key).await.unwrap().etag, "1", "{key}");
    }
}

#[tokio::test]
async fn an_etag_is_a_number() {
    let server = Server::start(RedisOptions::new()).await;
    let store = store_of(&server, &[]).await;
    let etag = Precondition::Etag("bad-etag".to_owned());
    let write = SetRequest {
        precondition: etag.clone(),
        ..set("k", "v")
    };
    let removal = DeleteRequest {
        precondition: etag,
        ..delete("k")
    };
    for answer in [
        store.set(write.clone()).await,
        store.delete(removal).await,
        store.transact(vec![Operation::Set(write)]).await,
    ] {
        assert!(
            matches!(answer, Err(StateError::InvalidEtag(_))),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn nothing_is_applied_where_a_step_cannot_be() {
    let server = Server::start(RedisOptions::new()).await;
    let (store, outside) = (store_of(&server, &[]).await, Outside::of(&server).await);
    let () = outside.tell("HSET damaged data v version seven").await;
    let steps = vec![
        Operation::Set(set("before", "v")),
        Operation::Set(set("damaged", "w")),
    ];
    for answer in [
        store.transact(steps).await,
        store.set(set("damaged", "w")).await,
    ] {
        assert!(matches!(answer, Err(StateError::Other(_))), "{answer:?}");
    }
    assert_eq!(store.entry_of("before").await, None);
    assert_eq!(store.entry_of("damaged").await.unwrap().value, "v");
}

#[tokio::test]
async fn the_component_may_give_a_time_to_live() {
    let server = Server::start(RedisOptions::new()).await;
    let store = store_of(&server, &[("ttlInSeconds", "60")]).await;
    let outside = Outside::of(&server).await;
    store.set(set("k", "v")).await.unwrap();
    let own = SetRequest {
        ttl: Some(Duration::from_secs(3600)),
        ..set("own", "v")
    };
    store.set(own).await.unwrap();
    let (by_default, own): (i64, i64) =
        (outside.tell("TTL k").await, outside.tell("TTL own").await);
    assert!(
        (1..=60).contains(&by_default) && own > 60,
        "{by_default} {own}"
    );
    let forever = store_of(&server, &[("ttlInSeconds", "-1")]).await;
    forever.set(set("k", "v")).await.unwrap();
    assert_eq!(outside.tell::<i64>("TTL k").await, -1);
}

#[tokio::test]
async fn a_server_that_forgot_the_script_gets_it_again() {
    let server = Server::start(RedisOptions::new()).await;
    let (store, outside) = (store_of(&server, &[]).await, Outside::of(&server).await);
    for round in 1..=2 {
        let () = outside.tell("SCRIPT FLUSH").await;
        store.set(set("k", "v")).await.unwrap();
        assert_eq!(store.entry_of("k").await.unwrap().etag, round.to_string());
    }
}
