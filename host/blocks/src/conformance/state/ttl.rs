//! Time to live.

use super::{Store, assert_stale, set, set_if};
use crate::{
    conformance::eventually,
    state::{GetOptions, Operation, Precondition, SetRequest},
};
use std::time::{Duration, SystemTime};

const SHORT: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn set_for(key: &str, ttl: Duration) -> SetRequest {
    SetRequest {
        ttl: Some(ttl),
        ..set(key, "v")
    }
}

async fn wait_until_absent(store: &Store, key: &str) {
    eventually("the key expires", async || store.entry(key).await.is_none()).await;
}

/// The moment is reported, for keys with a time to live only.
pub async fn a_key_with_a_ttl_expires(store: Store) {
    if !store.has_ttl().await {
        return;
    }
    store.put(set_for("hour", HOUR)).await;
    store.put(set("forever", "v")).await;
    let expires_at = store
        .entry("hour")
        .await
        .and_then(|entry| entry.expires_at)
        .expect("a moment");
    let ahead = expires_at
        .duration_since(SystemTime::now())
        .expect("in the future");
    assert!(
        ahead <= HOUR + SHORT && ahead + Duration::from_secs(600) > HOUR,
        "{ahead:?}"
    );
    let keys = ["hour", "forever"].map(str::to_owned);
    let bulk = store.backend.bulk_get(&keys, &GetOptions::default()).await;
    let reported: Vec<_> = bulk
        .into_iter()
        .map(|answer| {
            answer
                .expect("a read succeeds")
                .expect("the key exists")
                .expires_at
                .is_some()
        })
        .collect();
    assert_eq!(reported, [true, false]);

    let written = std::time::Instant::now();
    store.put(set_for("short", SHORT)).await;
    let found = store.entry("short").await;
    assert!(
        found.is_some() || written.elapsed() >= SHORT,
        "expired too early"
    );
    wait_until_absent(&store, "short").await;
    // An engine may count whole milliseconds, of a clock that may be set.
    assert!(written.elapsed() >= SHORT * 9 / 10, "expired too early");
    assert!(store.entry("hour").await.is_some() && store.entry("forever").await.is_some());
}

/// For reads, bulk reads, etags and first writes alike.
pub async fn an_expired_key_counts_as_absent(store: Store) {
    if !store.has_ttl().await || !store.has_etags().await {
        return;
    }
    store.put(set_for("short", SHORT)).await;
    let etag = store.entry("short").await.map(|entry| entry.etag);
    wait_until_absent(&store, "short").await;
    let bulk = store
        .backend
        .bulk_get(&["short".to_owned()], &GetOptions::default())
        .await;
    assert_eq!(bulk, [Ok(None)]);
    if let Some(etag) = etag {
        assert_stale(
            store
                .backend
                .set(set_if("short", "w", Precondition::Etag(etag)))
                .await,
        );
    }
    assert_eq!(
        store
            .backend
            .set(set_if("short", "w", Precondition::Absent))
            .await,
        Ok(())
    );
    assert_eq!(store.value("short").await.as_deref(), Some(&b"w"[..]));
    assert_eq!(
        store
            .entry("short")
            .await
            .and_then(|entry| entry.expires_at),
        None
    );
}

/// And a later write with another one replaces it.
pub async fn a_later_write_without_a_ttl_removes_it(store: Store) {
    if !store.has_ttl().await {
        return;
    }
    store.put(set_for("kept", SHORT)).await;
    store.put(set("kept", "w")).await;
    store.put(set_for("longer", SHORT)).await;
    store.put(set_for("longer", HOUR)).await;
    store.put(set_for("witness", SHORT)).await;
    wait_until_absent(&store, "witness").await;
    assert_eq!(store.value("kept").await.as_deref(), Some(&b"w"[..]));
    assert_eq!(
        store.entry("kept").await.and_then(|entry| entry.expires_at),
        None
    );
    assert!(store.entry("longer").await.is_some());
}

/// As a write of its own does.
pub async fn a_transaction_sets_a_ttl(store: Store) {
    if !store.has_ttl().await || !store.has_transactions().await {
        return;
    }
    let steps = vec![
        Operation::Set(set_for("{t}short", SHORT)),
        Operation::Set(set("{t}forever", "v")),
    ];
    store
        .backend
        .transact(steps)
        .await
        .expect("the transaction succeeds");
    wait_until_absent(&store, "{t}short").await;
    assert!(store.entry("{t}forever").await.is_some());
}
