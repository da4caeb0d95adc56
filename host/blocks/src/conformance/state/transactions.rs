//! Transactions: in order, all or nothing. Their keys share a hash tag, which stores of many servers need.

use super::{Store, assert_stale, delete, delete_if, set, set_if};
use crate::state::{Operation, Precondition};

/// Delete of a present key, write, delete of what was just written, write again; delete of an unknown key.
pub async fn a_transaction_applies_its_steps_in_order(store: Store) {
    if !store.has_transactions().await {
        return;
    }
    store.put(set("{t}a", "0")).await;
    let steps = vec![
        Operation::Delete(delete("{t}a")),
        Operation::Set(set("{t}b", "1")),
        Operation::Delete(delete("{t}b")),
        Operation::Set(set("{t}b", "2")),
        Operation::Set(set("{t}c", "3")),
        Operation::Set(set("{t}c", "4")),
        Operation::Delete(delete("{t}unknown")),
    ];
    assert_eq!(store.backend.transact(steps).await, Ok(()));
    assert_eq!(store.entry("{t}a").await, None);
    assert_eq!(store.value("{t}b").await.as_deref(), Some(&b"2"[..]));
    assert_eq!(store.value("{t}c").await.as_deref(), Some(&b"4"[..]));
    assert_eq!(store.backend.transact(Vec::new()).await, Ok(()));
}

/// A stale etag or a first write in the middle undoes what came before and after it.
pub async fn a_transaction_that_fails_changes_nothing(store: Store) {
    if !store.has_transactions().await || !store.has_etags().await {
        return;
    }
    store.put(set("{t}a", "1")).await;
    store.put(set("{t}b", "1")).await;
    let stale = store.etag("{t}b").await;
    store.put(set("{t}b", "2")).await;
    let before = (store.entry("{t}a").await, store.entry("{t}b").await);
    let failing = [
        Operation::Set(set_if("{t}b", "lost", Precondition::Etag(stale.clone()))),
        Operation::Delete(delete_if("{t}b", &stale)),
        Operation::Set(set_if("{t}b", "lost", Precondition::Absent)),
    ];
    for failing in failing {
        let steps = vec![
            Operation::Set(set("{t}a", "lost")),
            Operation::Set(set("{t}new", "lost")),
            failing,
            Operation::Delete(delete("{t}a")),
        ];
        assert_stale(store.backend.transact(steps).await);
        assert_eq!(
            (store.entry("{t}a").await, store.entry("{t}b").await),
            before
        );
        assert_eq!(store.entry("{t}new").await, None);
    }
    let etag = store.etag("{t}b").await;
    let steps = vec![
        Operation::Set(set_if("{t}b", "3", Precondition::Etag(etag))),
        Operation::Set(set("{t}a", "3")),
    ];
    assert_eq!(store.backend.transact(steps).await, Ok(()));
    assert_eq!(store.value("{t}a").await.as_deref(), Some(&b"3"[..]));
}

/// Two keys that are only ever written together are equal after any number of writers.
pub async fn transactions_do_not_interleave(store: Store) {
    if !store.has_transactions().await {
        return;
    }
    let transactions = (0..40).map(|writer| {
        let value = writer.to_string();
        store.backend.transact(vec![
            Operation::Set(set("{t}left", &value)),
            Operation::Set(set("{t}right", &value)),
        ])
    });
    let answers = futures::future::join_all(transactions).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let left = store.value("{t}left").await.expect("a value is left");
    assert_eq!(store.value("{t}right").await, Some(left));
}
