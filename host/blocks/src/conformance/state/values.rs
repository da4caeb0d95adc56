//! Values, keys and bulk calls.

use super::{Store, delete, set};
use crate::state::{GetOptions, Precondition, SetRequest, StateError};
use bytes::Bytes;

/// A store that is open answers.
pub async fn it_answers_a_ping(store: Store) {
    assert_eq!(store.backend.ping().await, Ok(()));
}

/// Integers, booleans, text, JSON, nothing at all, protobuf, bytes that are no text, a mebibyte.
pub async fn values_come_back_byte_for_byte(store: Store) {
    let protobuf: &[u8] = &[0x08, 0x96, 0x01, 0x12, 0x00];
    let large = vec![0x5a_u8; 1 << 20];
    let values: [&[u8]; 12] = [
        b"123",
        b"true",
        b"x",
        b"\"text\"",
        b"text",
        b"",
        b"{\"a\": 1,  \"b\":[null]}",
        b"null",
        protobuf,
        &[0, 255, 254, 10, 0],
        "ünïcödé €".as_bytes(),
        &large,
    ];
    for (number, value) in values.iter().enumerate() {
        let key = format!("value-{number}");
        store
            .put(SetRequest {
                value: Bytes::copy_from_slice(value),
                ..set(&key, "")
            })
            .await;
        assert_eq!(
            store.value(&key).await.as_deref(),
            Some(*value),
            "value {number}"
        );
    }
    store.put(set("value-0", "replaced")).await;
    assert_eq!(
        store.value("value-0").await.as_deref(),
        Some(&b"replaced"[..])
    );
}

/// Absence is not an error.
pub async fn an_absent_key_is_nothing(store: Store) {
    assert_eq!(store.entry("absent").await, None);
}

/// Keys are opaque: no quoting, no patterns, no folding of case.
pub async fn any_key_is_only_itself(store: Store) {
    let long = "k".repeat(1024);
    let keys = [
        "a",
        "A",
        "a ",
        " a",
        "a||b",
        "a%",
        "a_",
        "a*",
        "a?b",
        "'; DROP TABLE state; --",
        "\"q\"",
        "ключ",
        "🔑",
        "a\nb",
        "a/b\\c",
        "{x}",
        "a:b",
        long.as_str(),
    ];
    for key in keys {
        store.put(set(key, key)).await;
    }
    for key in keys {
        assert_eq!(
            store.value(key).await.as_deref(),
            Some(key.as_bytes()),
            "{key:?}"
        );
    }
    store
        .backend
        .delete(delete("a%"))
        .await
        .expect("a delete succeeds");
    for key in keys.into_iter().filter(|key| *key != "a%") {
        assert!(store.value(key).await.is_some(), "{key:?} went with a%");
    }
}

/// Control characters, whatever a glob, a quote or a separator is made of, and letters of any length in bytes; NUL, which
/// text columns cannot hold, excepted.
pub async fn any_character_may_stand_in_a_key(store: Store) {
    let characters = ('\u{1}'..='\u{ff}').chain(['\u{7ff}', '\u{800}', '\u{ffff}', '\u{10ffff}']);
    let keys: Vec<String> = characters.map(|letter| format!("k{letter}k")).collect();
    let writes = keys.iter().map(|key| set(key, key)).collect();
    for answer in store.backend.bulk_set(writes).await {
        assert_eq!(answer, Ok(()));
    }
    let answers = store.backend.bulk_get(&keys, &GetOptions::default()).await;
    for (key, answer) in keys.iter().zip(answers) {
        let value = answer.expect("a read succeeds").map(|entry| entry.value);
        assert_eq!(value.as_deref(), Some(key.as_bytes()), "{key:?}");
    }
}

/// Deleting twice is fine; a key that was deleted can be written again.
pub async fn a_deleted_key_is_gone(store: Store) {
    store.put(set("k", "v")).await;
    assert_eq!(store.backend.delete(delete("k")).await, Ok(()));
    assert_eq!(store.entry("k").await, None);
    assert_eq!(store.backend.delete(delete("k")).await, Ok(()));
    store.put(set("k", "w")).await;
    assert_eq!(store.value("k").await.as_deref(), Some(&b"w"[..]));
}

/// Also after a write without one.
pub async fn the_content_type_is_kept_or_refused(store: Store) {
    let request = SetRequest {
        content_type: Some("application/json".to_owned()),
        ..set("k", "{}")
    };
    store.put(request).await;
    let kept = store
        .backend
        .capabilities()
        .content_type
        .then(|| "application/json".to_owned());
    assert_eq!(
        store.entry("k").await.and_then(|entry| entry.content_type),
        kept
    );
    store.put(set("k", "v")).await;
    assert_eq!(
        store.entry("k").await.and_then(|entry| entry.content_type),
        None
    );
}

/// Missing keys and keys that come twice included.
pub async fn bulk_calls_answer_each_key_in_order(store: Store) {
    let keys: Vec<String> = (0..50).map(|number| format!("bulk-{number}")).collect();
    let answers = store
        .backend
        .bulk_set(keys.iter().map(|key| set(key, key)).collect())
        .await;
    assert_eq!(answers, vec![Ok(()); 50]);

    let asked = ["bulk-7", "missing", "bulk-3", "bulk-7"].map(str::to_owned);
    let answers = store.backend.bulk_get(&asked, &GetOptions::default()).await;
    let values: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("a read succeeds").map(|e| e.value))
        .collect();
    assert_eq!(
        values,
        [
            Some("bulk-7".into()),
            None,
            Some("bulk-3".into()),
            Some("bulk-7".into())
        ]
    );

    let answers = store
        .backend
        .bulk_delete(keys.iter().take(49).map(|key| delete(key)).collect())
        .await;
    assert_eq!(answers, vec![Ok(()); 49]);
    let left = store.backend.bulk_get(&keys, &GetOptions::default()).await;
    assert_eq!(
        left.iter()
            .filter(|answer| matches!(answer, Ok(Some(_))))
            .count(),
        1
    );
    assert!(matches!(&left[49], Ok(Some(entry)) if entry.value == "bulk-49"));
}

/// Partial success is real: the others are written and deleted.
pub async fn one_stale_etag_fails_only_its_own_item(store: Store) {
    if !store.has_etags().await {
        return;
    }
    for key in ["a", "b", "c"] {
        store.put(set(key, "1")).await;
    }
    let stale = store.etag("b").await;
    store.put(set("b", "2")).await;
    let mut requests = ["a", "b", "c"].map(|key| set(key, "3")).to_vec();
    requests[1].precondition = Precondition::Etag(stale.clone());
    let answers = store.backend.bulk_set(requests).await;
    assert!(
        matches!(answers[..], [Ok(()), Err(StateError::Conflict(_)), Ok(())]),
        "{answers:?}"
    );
    for (key, value) in [("a", "3"), ("b", "2"), ("c", "3")] {
        assert_eq!(
            store.value(key).await.as_deref(),
            Some(value.as_bytes()),
            "{key}"
        );
    }
    let mut requests = ["a", "b", "c"].map(delete).to_vec();
    requests[1].precondition = Precondition::Etag(stale);
    let answers = store.backend.bulk_delete(requests).await;
    assert!(
        matches!(answers[..], [Ok(()), Err(StateError::Conflict(_)), Ok(())]),
        "{answers:?}"
    );
    assert!(store.value("a").await.is_none() && store.value("b").await.is_some());
}

/// Only where the backend can be opened again on the same data.
pub async fn what_was_written_survives_a_restart(store: Store) {
    store.put(set("k", "v")).await;
    store.put(set("deleted", "v")).await;
    store
        .backend
        .delete(delete("deleted"))
        .await
        .expect("a delete succeeds");
    let etag = store.etag("k").await;
    let Some(store) = store.restarted().await else {
        return;
    };
    assert_eq!(store.value("k").await.as_deref(), Some(&b"v"[..]));
    assert_eq!(store.etag("k").await, etag);
    assert_eq!(store.entry("deleted").await, None);
}
