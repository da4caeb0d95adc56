//! Claims, leases and epochs.

use super::{LATER, NOW, Store, app, assert_fenced, at, commit, key, message, new, release};
use crate::workflow::{InstanceKey, InstanceState, NewInstance, Status};
use berth_resources::Namespace;

/// Instances that are ready, in the order in which they became so; of the apps that are served.
pub async fn ready_instances_are_claimed_in_order(store: Store) {
    store.join("host").await;
    for (id, ready_in) in [
        ("late", 30),
        ("early", 10),
        ("middle", 20),
        ("not yet", 5_000),
    ] {
        let instance = NewInstance {
            ready_at: at(ready_in),
            ..new(&key(id))
        };
        store.create(instance).await;
    }
    let other = InstanceKey::new(Namespace::default(), app("carts"), "other");
    store.create(new(&other)).await;
    let claims = store.claim("host", at(100)).await;
    let ids: Vec<_> = claims
        .claimed
        .iter()
        .map(|claimed| &*claimed.row.key.id)
        .collect();
    assert_eq!(ids, ["early", "middle", "late"]);
    assert_eq!(claims.next_ready_at, Some(at(5_000)));
    let first = &claims.claimed[0];
    assert_eq!(first.row.owner.as_deref(), Some("host"));
    assert!(!first.taken_over);
    assert!(store.claimed_ids("host", at(100)).await.is_empty());
    assert_eq!(store.claimed_ids("host", at(5_000)).await, ["not yet"]);
}

/// Each goes to one of them.
pub async fn hosts_claim_different_instances(store: Store) {
    for number in 0..50 {
        store.created(&format!("{number}")).await;
    }
    let owners: Vec<_> = (0..5).map(|number| format!("host {number}")).collect();
    for owner in &owners {
        store.join(owner).await;
    }
    let claims = owners.iter().map(|owner| store.claimed_ids(owner, NOW));
    let mut all: Vec<_> = futures::future::join_all(claims).await.concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 50);
}

/// With a new epoch, which the former owner does not have.
pub async fn an_instance_is_taken_over_when_the_lease_ends(store: Store) {
    let row = store.owned("a", "first").await;
    store.join("second").await;
    assert!(store.claimed_ids("second", at(59_999)).await.is_empty());
    store
        .backend
        .renew("second", at(200_000))
        .await
        .expect("a renewal");
    let claimed = store.claim_one("second", at(60_001)).await;
    assert!(claimed.taken_over);
    assert!(claimed.row.epoch > row.epoch);
    assert_fenced(store.backend.commit(commit(&row)).await);
    let given_up = store
        .backend
        .release(&key("a"), row.epoch, release(None))
        .await;
    assert_fenced(given_up);
    store.commit(commit(&claimed.row)).await;
}

/// One renewal for everything that a host owns.
pub async fn a_renewed_lease_keeps_all_instances(store: Store) {
    store.owned("a", "first").await;
    store.owned("b", "first").await;
    store.join("second").await;
    store
        .backend
        .renew("first", at(300_000))
        .await
        .expect("a renewal");
    store
        .backend
        .renew("second", at(300_000))
        .await
        .expect("a renewal");
    assert!(store.claimed_ids("second", at(299_999)).await.is_empty());
    assert_eq!(store.claimed_ids("second", at(300_001)).await.len(), 2);
}

/// Others need not wait for the lease to end.
pub async fn a_host_that_leaves_frees_its_instances(store: Store) {
    store.owned("a", "first").await;
    store.join("second").await;
    store.backend.leave("first").await.expect("a host leaves");
    assert!(store.claim_one("second", NOW).await.taken_over);
}

/// At the time that its owner names.
pub async fn a_released_instance_is_ready_again_in_time(store: Store) {
    let row = store.owned("a", "host").await;
    let given_up = store
        .backend
        .release(&key("a"), row.epoch, release(Some(at(500))))
        .await;
    given_up.expect("a release succeeds");
    assert_eq!(store.row("a").await.owner, None);
    let none = store.claim("host", at(499)).await;
    assert_eq!((none.claimed.len(), none.next_ready_at), (0, Some(at(500))));
    let claimed = store.claim_one("host", at(500)).await;
    assert!(!claimed.taken_over && claimed.row.epoch > row.epoch);
    // With a commit, and for a message only.
    let mut last = commit(&claimed.row);
    last.release = Some(release(None));
    store.commit(last).await;
    assert!(store.claimed_ids("host", LATER).await.is_empty());
    store.send("a", message("wake up")).await;
    assert_eq!(store.claimed_ids("host", LATER).await, ["a"]);
}

/// For a host that does not know whether a claim went through.
pub async fn a_host_can_ask_what_it_owns(store: Store) {
    let row = store.owned("a", "host").await;
    store.owned("b", "other").await;
    store.created("c").await;
    assert_eq!(
        store.backend.owned("host").await,
        Ok(vec![(key("a"), row.epoch)])
    );
}

/// Those of the app whose code has changed.
pub async fn stalled_instances_wait_for_other_code(store: Store) {
    for (id, status) in [("a", Status::Stalled), ("b", Status::Suspended)] {
        let row = store.owned(id, "host").await;
        let mut last = commit(&row);
        last.state = InstanceState {
            status,
            problem: Some("why".to_owned()),
            ..InstanceState::pending()
        };
        last.release = Some(release(None));
        store.commit(last).await;
    }
    let namespace = Namespace::default();
    let woken = store
        .backend
        .wake_stalled(&namespace, &app("carts"), NOW)
        .await;
    assert_eq!(woken, Ok(0));
    assert!(store.claimed_ids("host", NOW).await.is_empty());
    let woken = store
        .backend
        .wake_stalled(&namespace, &app("orders"), NOW)
        .await;
    assert_eq!(woken, Ok(1));
    assert_eq!(store.claimed_ids("host", NOW).await, ["a"]);
}
