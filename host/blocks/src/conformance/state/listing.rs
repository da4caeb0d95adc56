//! Listing keys.

use super::{Store, delete, set};
use crate::{conformance::eventually, state::SetRequest};
use std::{collections::BTreeSet, time::Duration};

impl Store {
    async fn page(
        &self,
        prefix: &str,
        limit: u32,
        token: Option<&str>,
    ) -> (Vec<String>, Option<String>) {
        let page = self
            .backend
            .list_keys(prefix, limit, token)
            .await
            .expect("a page is listed");
        assert!(
            page.keys.len() <= limit as usize,
            "a page of {} keys, asked for {limit}",
            page.keys.len()
        );
        (page.keys, page.next)
    }

    async fn all(&self, prefix: &str, limit: u32) -> Vec<String> {
        let (mut keys, mut next) = self.page(prefix, limit, None).await;
        while let Some(token) = next {
            let (more, after) = self.page(prefix, limit, Some(&token)).await;
            keys.extend(more);
            next = after;
        }
        keys
    }

    async fn fill(&self, keys: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let keys: BTreeSet<String> = keys.into_iter().collect();
        let requests: Vec<_> = keys.iter().map(|key| set(key, "v")).collect();
        for answer in self.backend.bulk_set(requests).await {
            answer.expect("a write succeeds");
        }
        keys
    }
}

/// Wildcards of SQL, globs and regular expressions stand for themselves; case matters.
pub async fn keys_are_listed_by_literal_prefix(store: Store) {
    if !store.lists_keys().await {
        return;
    }
    let keys = [
        "a%b", "a_b", "axb", "a*b", "a[b", "a\\b", "Axb", "b", "ä", "äb", "a",
    ];
    store.fill(keys.map(str::to_owned)).await;
    for prefix in ["a%", "a_", "a*", "a[", "a\\", "A", "ä", "a", "zzz", ""] {
        let listed: BTreeSet<String> = store.all(prefix, 100).await.into_iter().collect();
        let expected: BTreeSet<String> = keys
            .iter()
            .filter(|key| key.starts_with(prefix))
            .map(|key| (*key).to_owned())
            .collect();
        assert_eq!(listed, expected, "prefix {prefix:?}");
    }
}

/// 1,025 keys, in pages of any size; a page that is the last has no token.
pub async fn pages_show_every_key_once(store: Store) {
    if !store.lists_keys().await {
        return;
    }
    let keys = store
        .fill((0..1025).map(|number| format!("many-{number}")))
        .await;
    store.fill(["other".to_owned()]).await;
    for limit in [1000, 100, 41] {
        let listed = store.all("many-", limit).await;
        assert_eq!(listed.len(), 1025, "in pages of {limit}");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), keys);
    }
    let twelve = store
        .fill((0..12).map(|number| format!("twelve-{number}")))
        .await;
    for limit in [6, 5, 1] {
        assert_eq!(
            store.all("twelve-", limit).await.len(),
            twelve.len(),
            "in pages of {limit}"
        );
    }
    let (page, next) = store.page("twelve-", 12, None).await;
    assert_eq!((page.len(), next), (12, None));
    assert_eq!(store.page("nothing-", 10, None).await, (Vec::new(), None));
}

/// As many as fill several round trips of any engine, in the largest pages.
pub async fn ten_thousand_keys_are_listed(store: Store) {
    if !store.lists_keys().await {
        return;
    }
    let keys = store
        .fill((0..10_000).map(|number| format!("very-many-{number}")))
        .await;
    let listed = store.all("very-many-", 1000).await;
    assert_eq!(listed.len(), 10_000);
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), keys);
}

/// Keys that were shown may go, the token included; all others appear once.
pub async fn paging_is_stable_under_deletes(store: Store) {
    if !store.lists_keys().await {
        return;
    }
    let keys = store
        .fill((0..30).map(|number| format!("k-{number:02}")))
        .await;
    let (mut seen, mut next) = store.page("k-", 7, None).await;
    while let Some(token) = next {
        for key in &seen {
            store
                .backend
                .delete(delete(key))
                .await
                .expect("a delete succeeds");
        }
        let (more, after) = store.page("k-", 7, Some(&token)).await;
        seen.extend(more);
        next = after;
    }
    assert_eq!(seen.len(), 30);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), keys);
}

/// From the moment that they read as absent.
pub async fn expired_keys_are_not_listed(store: Store) {
    if !store.lists_keys().await || !store.has_ttl().await {
        return;
    }
    store.fill(["e-kept".to_owned()]).await;
    store
        .put(SetRequest {
            ttl: Some(Duration::from_secs(1)),
            ..set("e-short", "v")
        })
        .await;
    eventually("the key expires", async || {
        store.entry("e-short").await.is_none()
    })
    .await;
    assert_eq!(store.all("e-", 10).await, ["e-kept"]);
}
