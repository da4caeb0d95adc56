//! Several hosts on one store.

use super::*;
use std::collections::BTreeSet;

/// Each makes the tables, or finds them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_may_start_at_the_same_moment() {
    let database = Postgres::shared().await;
    let url = database.url();
    let hosts = futures::future::join_all((0..6).map(|_| open(&url))).await;
    let joins = hosts.iter().map(|host| host.join("host", NOW, LATER));
    for joined in futures::future::join_all(joins).await {
        assert_eq!(joined, Ok(()));
    }
}

/// Whoever looks at the same time gets others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_goes_to_one_host() {
    let database = Postgres::shared().await;
    let url = database.url();
    let hosts = futures::future::join_all((0..4).map(|_| open(&url))).await;
    for (number, host) in hosts.iter().enumerate() {
        let name = format!("{number}");
        host.join(&name, NOW, LATER).await.unwrap();
    }
    for number in 0..200 {
        create(&*hosts[0], &format!("{number}"), None).await;
    }
    let claims = hosts.iter().enumerate().map(async |(number, host)| {
        let request = ClaimRequest {
            limit: 30,
            ..claim(&format!("{number}"), NOW)
        };
        let mut ids = Vec::new();
        loop {
            let claims = host.claim(request.clone()).await.unwrap();
            if claims.claimed.is_empty() && claims.next_ready_at.is_none() {
                return ids;
            }
            let claimed = claims.claimed.into_iter();
            ids.extend(claimed.map(|claimed| claimed.row.key.id.to_string()));
        }
    });
    let ids = futures::future::join_all(claims).await.concat();
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), different.len()), (200, 200));
}

/// A host that was stopped for longer than its lease writes nothing more, in any kind of transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_former_owner_is_fenced_off() {
    let database = Postgres::shared().await;
    let url = database.url();
    let (first, second) = tokio::join!(open(&url), open(&url));
    first
        .join("first", NOW, Timestamp(NOW.0 + 10))
        .await
        .unwrap();
    second.join("second", NOW, LATER).await.unwrap();
    create(&*first, "other", None).await;
    let old = create(&*first, "a", Some("first")).await;
    let late = Timestamp(NOW.0 + 11);
    let claims = second.claim(claim("second", late)).await.unwrap();
    let taken = claims.claimed.iter().find(|claimed| claimed.taken_over);
    assert_eq!(taken.unwrap().row.key, key("a"));
    let mut far = next(&old);
    far.sends.push(outgoing("other"));
    for stale in [next(&old), far] {
        let answer = first.commit(stale).await;
        assert!(
            matches!(answer, Err(WorkflowStoreError::Fenced(_))),
            "{answer:?}"
        );
    }
    let sent = second.inbox(&key("other"), MessageId::START, 10).await;
    assert_eq!(sent, Ok(Vec::new()));
    second.commit(next(&taken.unwrap().row)).await.unwrap();
}

/// Messages get their numbers in the order in which they become visible, however many hosts send them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reader_passes_a_message_over() {
    const SENDERS: usize = 6;
    const MESSAGES: usize = 60;
    let database = Postgres::shared().await;
    let url = database.url();
    let store = open(&url).await;
    store.join("host", NOW, LATER).await.unwrap();
    create(&*store, "a", Some("host")).await;
    let senders = (0..SENDERS).map(|sender| {
        let url = url.clone();
        tokio::spawn(async move {
            let store = open(&url).await;
            for number in 0..MESSAGES {
                let message = Message {
                    dedup: None,
                    body: Bytes::from(format!("{sender}-{number}")),
                    at: NOW,
                };
                assert_eq!(store.send(&key("a"), message).await, Ok(Sent::Accepted));
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    let (mut seen, mut after) = (BTreeSet::new(), MessageId::START);
    while seen.len() < SENDERS * MESSAGES {
        let over = senders.iter().all(tokio::task::JoinHandle::is_finished);
        let page = store.inbox(&key("a"), after, 1_000).await.unwrap();
        for message in page {
            after = message.id;
            seen.insert(message.body);
        }
        assert!(
            !over || seen.len() == SENDERS * MESSAGES,
            "a message was passed over: {}",
            seen.len()
        );
    }
    for sender in senders {
        sender.await.unwrap();
    }
}
