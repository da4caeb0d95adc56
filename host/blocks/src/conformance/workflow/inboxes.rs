//! Messages to instances.

use super::{NOW, Store, commit, ended, key, message, release};
use crate::workflow::{Message, MessageId, Release, Sent};

/// Those that a commit took in are gone.
pub async fn messages_come_in_order_and_are_consumed(store: Store) {
    let row = store.owned("a", "host").await;
    for text in ["one", "two", "three"] {
        assert_eq!(store.send("a", message(text)).await, Sent::Accepted);
    }
    let inbox = store.inbox("a").await;
    let texts: Vec<_> = inbox.iter().map(|(_, body)| &body[..]).collect();
    assert_eq!(texts, [&b"one"[..], b"two", b"three"]);
    let after = store.backend.inbox(&key("a"), inbox[0].0, 1).await;
    assert_eq!(after.expect("a read succeeds")[0].id, inbox[1].0);
    let mut next = commit(&row);
    next.consumed = vec![inbox[0].0, inbox[2].0];
    store.commit(next).await;
    assert_eq!(store.inbox("a").await, [inbox[1].clone()]);
    store.send("a", message("four")).await;
    let last = store.inbox("a").await.pop().expect("a message");
    assert!(last.0 > inbox[2].0, "a number came back");
}

/// Also when it was taken in long ago.
pub async fn a_message_id_counts_once(store: Store) {
    let row = store.owned("a", "host").await;
    store.created("b").await;
    let once = Message {
        dedup: Some("id".to_owned()),
        ..message("once")
    };
    assert_eq!(store.send("a", once.clone()).await, Sent::Accepted);
    assert_eq!(store.send("a", once.clone()).await, Sent::Duplicate);
    assert_eq!(store.send("b", once.clone()).await, Sent::Accepted);
    let inbox = store.inbox("a").await;
    assert_eq!(inbox.len(), 1);
    let mut next = commit(&row);
    next.consumed = vec![inbox[0].0];
    store.commit(next).await;
    assert_eq!(store.send("a", once).await, Sent::Duplicate);
    assert_eq!(store.inbox("a").await, []);
}

/// Both are told apart.
pub async fn a_message_to_nobody_is_refused(store: Store) {
    assert_eq!(store.send("absent", message("hello")).await, Sent::NotFound);
    let row = store.owned("a", "host").await;
    let mut last = commit(&row);
    last.state = ended();
    store.commit(last).await;
    assert_eq!(store.send("a", message("hello")).await, Sent::Finished);
}

/// No message is overlooked between the last look and the release.
pub async fn a_release_sees_messages_that_came_meanwhile(store: Store) {
    let row = store.owned("a", "host").await;
    store.send("a", message("seen, and may wait")).await;
    let seen = store.inbox("a").await[0].0;
    let leave = |seen: MessageId| Release {
        seen,
        ..release(None)
    };
    let given_up = store
        .backend
        .release(&key("a"), row.epoch, leave(seen))
        .await;
    given_up.expect("a release succeeds");
    assert!(store.claimed_ids("host", NOW).await.is_empty());
    store.send("a", message("wakes it")).await;
    let claimed = store.claim_one("host", NOW).await;
    store.send("a", message("overlooked")).await;
    let mut last = commit(&claimed.row);
    last.release = Some(leave(seen));
    store.commit(last).await;
    assert_eq!(store.claimed_ids("host", NOW).await, ["a"]);
}
