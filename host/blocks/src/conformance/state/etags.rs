//! Etags and first writes.

use super::{Store, assert_conflict, assert_stale, delete, delete_if, set, set_if};
use crate::state::Precondition;
use std::collections::HashSet;

fn etag_is(etag: &str) -> Precondition {
    Precondition::Etag(etag.to_owned())
}

/// Never empty, never the same again, also after a delete.
pub async fn every_write_changes_the_etag(store: Store) {
    let mut seen = HashSet::new();
    for round in 0..5 {
        store.put(set("k", "the same value")).await;
        let etag = store.etag("k").await;
        assert!(!etag.is_empty());
        assert!(seen.insert(etag), "an etag came back in round {round}");
    }
    store
        .backend
        .delete(delete("k"))
        .await
        .expect("a delete succeeds");
    store.put(set("k", "the same value")).await;
    if store.backend.capabilities().etag {
        let last = store.etag("k").await;
        store.put(set("k", "another")).await;
        assert_stale(store.backend.set(set_if("k", "lost", etag_is(&last))).await);
    }
}

/// An absent key matches no etag.
pub async fn a_write_needs_the_present_etag(store: Store) {
    if !store.has_etags().await {
        return;
    }
    store.put(set("k", "1")).await;
    let first = store.etag("k").await;
    assert_eq!(
        store.backend.set(set_if("k", "2", etag_is(&first))).await,
        Ok(())
    );
    assert_conflict(store.backend.set(set_if("k", "3", etag_is(&first))).await);
    assert_stale(
        store
            .backend
            .set(set_if("k", "3", etag_is("9999999")))
            .await,
    );
    assert_stale(
        store
            .backend
            .set(set_if("absent", "3", etag_is(&first)))
            .await,
    );
    assert_eq!(store.value("k").await.as_deref(), Some(&b"2"[..]));
    assert_eq!(store.entry("absent").await, None);
    // The last writer does not look at it.
    store.put(set("k", "4")).await;
    assert_eq!(store.value("k").await.as_deref(), Some(&b"4"[..]));
}

/// Without an etag the key goes whatever it holds.
pub async fn a_delete_needs_the_present_etag(store: Store) {
    if !store.has_etags().await {
        return;
    }
    store.put(set("k", "1")).await;
    let first = store.etag("k").await;
    store.put(set("k", "2")).await;
    assert_conflict(store.backend.delete(delete_if("k", &first)).await);
    assert!(store.entry("k").await.is_some());
    let second = store.etag("k").await;
    assert_eq!(store.backend.delete(delete_if("k", &second)).await, Ok(()));
    assert_eq!(store.entry("k").await, None);
    assert_stale(store.backend.delete(delete_if("k", &second)).await);
    store.put(set("k", "3")).await;
    assert_eq!(store.backend.delete(delete("k")).await, Ok(()));
}

/// And again after the key was deleted.
pub async fn a_first_write_succeeds_once(store: Store) {
    if !store.has_etags().await {
        return;
    }
    let first = |value| set_if("first", value, Precondition::Absent);
    assert_eq!(store.backend.set(first("1")).await, Ok(()));
    assert_conflict(store.backend.set(first("2")).await);
    assert_eq!(store.value("first").await.as_deref(), Some(&b"1"[..]));
    store.put(set("first", "3")).await;
    assert_conflict(store.backend.set(first("4")).await);
    store
        .backend
        .delete(delete("first"))
        .await
        .expect("a delete succeeds");
    assert_eq!(store.backend.set(first("5")).await, Ok(()));
    let etag = store.etag("first").await;
    assert_eq!(
        store
            .backend
            .set(set_if("first", "6", etag_is(&etag)))
            .await,
        Ok(())
    );
    assert_conflict(
        store
            .backend
            .set(set_if("first", "7", etag_is(&etag)))
            .await,
    );
}

/// One hundred writers; the value is that of the winner.
pub async fn concurrent_first_writes_have_one_winner(store: Store) {
    if !store.has_etags().await {
        return;
    }
    for round in 0..5 {
        let key = format!("race-{round}");
        let values: Vec<String> = (0..100).map(|writer| format!("writer-{writer}")).collect();
        let writes = values
            .iter()
            .map(|value| store.backend.set(set_if(&key, value, Precondition::Absent)));
        let answers = futures::future::join_all(writes).await;
        let winners: Vec<_> = values
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| answer.is_ok())
            .collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        assert_eq!(
            store.value(&key).await.as_deref(),
            Some(winners[0].0.as_bytes())
        );
    }
}

/// Eight writers, read and write with the etag until it succeeds.
pub async fn concurrent_increments_with_etags_lose_nothing(store: Store) {
    if !store.has_etags().await {
        return;
    }
    store.put(set("counter", "0")).await;
    let store = std::sync::Arc::new(store);
    let writers = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                increment(&store).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("the writer ends");
    }
    assert_eq!(store.value("counter").await.as_deref(), Some(&b"80"[..]));
}

async fn increment(store: &Store) {
    loop {
        let entry = store.entry("counter").await.expect("the counter exists");
        let count: u32 = std::str::from_utf8(&entry.value)
            .expect("text")
            .parse()
            .expect("a number");
        let next = set_if("counter", &(count + 1).to_string(), etag_is(&entry.etag));
        match store.backend.set(next).await {
            Ok(()) => return,
            conflict => assert_conflict(conflict),
        }
    }
}

/// Whoever is last; never a mixture and never nothing.
pub async fn concurrent_writers_of_one_key_leave_one_value(store: Store) {
    let values: Vec<String> = (0..32)
        .map(|writer| format!("{writer}").repeat(100))
        .collect();
    let answers = futures::future::join_all(
        values
            .iter()
            .map(|value| store.backend.set(set("k", value))),
    )
    .await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let left = store.value("k").await.expect("a value is left");
    assert!(values.iter().any(|value| value.as_bytes() == left));
}
