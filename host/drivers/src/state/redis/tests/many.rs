//! Many backends, many servers.

use super::*;
use std::collections::BTreeSet;

#[tokio::test]
async fn backends_of_equal_metadata_share_one_connection() {
    let server = Server::start(RedisOptions::new()).await;
    let outside = Outside::of(&server).await;
    let context = context("/nowhere".as_ref());
    let entries = [("redisHost", server.address())];
    let mut stores = Vec::new();
    for _ in 0..100 {
        stores.push(open_in(context.clone(), &entries).await.unwrap());
    }
    let writes = stores.iter().enumerate().map(|(number, store)| async move {
        let key = format!("k{number}");
        store.set(set(&key, &key)).await
    });
    assert_eq!(futures::future::join_all(writes).await, vec![Ok(()); 100]);
    assert_eq!(outside.clients().await, 1);
    let other = [entries[0].clone(), ("redisDB", "1".to_owned())];
    let other = open_in(context.clone(), &other).await.unwrap();
    assert_eq!(other.entry_of("k1").await, None);
    assert_eq!(outside.clients().await, 2);

    drop((stores, other));
    let closed = async || outside.clients().await == 0;
    eventually("the connections are closed", closed).await;
}

#[tokio::test]
async fn no_task_outlives_its_store() {
    let server = Server::start(RedisOptions::new()).await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    for _ in 0..10 {
        let store = store_of(&server, &[]).await;
        store.set(set("k", "v")).await.unwrap();
        assert!(tasks() > before);
    }
    eventually("every task has ended", async || tasks() == before).await;
}

#[tokio::test]
async fn a_transaction_over_servers_is_refused_with_the_way_out() {
    let cluster = RedisCluster::start(RedisOptions::new()).await;
    let store = open_with(&[
        ("redisHost", cluster.addresses()),
        ("redisType", "cluster".to_owned()),
    ])
    .await
    .unwrap();
    let steps = |keys: [&str; 2]| keys.map(|key| Operation::Set(set(key, "v"))).to_vec();
    match store.transact(steps(["a", "b"])).await {
        Err(StateError::Unsupported(text)) => assert!(text.contains("hash tag"), "{text}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.entry_of("a").await, None);
    assert_eq!(
        store.transact(steps(["{order}a", "{order}b"])).await,
        Ok(())
    );
}

#[tokio::test]
async fn a_strong_write_is_on_the_replica_when_it_is_answered() {
    let set_of_servers = RedisSentinel::start().await;
    let store = open_with(&of_sentinel(&set_of_servers)).await.unwrap();
    let replica = Outside::of(&set_of_servers.replica).await;
    for round in 0..20 {
        let strong = SetRequest {
            consistency: Some(Consistency::Strong),
            ..set("k", &round.to_string())
        };
        store.set(strong).await.unwrap();
        assert_eq!(
            replica.tell::<String>("HGET k data").await,
            round.to_string()
        );
    }
    let strong = DeleteRequest {
        consistency: Some(Consistency::Strong),
        ..delete("k")
    };
    store.delete(strong).await.unwrap();
    assert!(!replica.tell::<bool>("EXISTS k").await);
}

#[tokio::test]
async fn a_strong_write_does_not_hold_up_others() {
    let set_of_servers = RedisSentinel::start().await;
    let store = open_with(&of_sentinel(&set_of_servers)).await.unwrap();
    set_of_servers.replica.freeze();
    let strong = SetRequest {
        consistency: Some(Consistency::Strong),
        ..set("strong", "v")
    };
    let strong = store.set(strong);
    tokio::pin!(strong);
    // It waits a second for the replica; others pass meanwhile, each of which would wait as long behind it.
    let others = async {
        for _ in 0..10 {
            store.set(set("other", "v")).await.unwrap();
        }
    };
    tokio::select! {
        biased;
        answer = &mut strong => panic!("it waited for nobody: {answer:?}"),
        () = others => {}
    }
    assert_eq!(strong.await, Ok(()));
    set_of_servers.replica.thaw();
}

#[tokio::test]
async fn keys_of_every_server_are_listed() {
    let cluster = RedisCluster::start(RedisOptions::new()).await;
    let entries = [
        ("redisHost", cluster.addresses()),
        ("redisType", "cluster".to_owned()),
    ];
    let store = open_with(&entries).await.unwrap();
    let keys: BTreeSet<String> = (0..300).map(|number| format!("k{number}")).collect();
    let writes = keys.iter().map(|key| set(key, "v")).collect();
    assert!(store.bulk_set(writes).await.iter().all(Result::is_ok));
    for node in &cluster.nodes {
        let count: usize = Outside::of(node).await.tell("DBSIZE").await;
        assert!(count > 0 && count < 300, "{count}");
    }
    let (mut listed, mut token) = (Vec::new(), None);
    loop {
        let page = store.list_keys("k", 7, token.as_deref()).await.unwrap();
        listed.extend(page.keys);
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(listed.len(), 300);
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), keys);
}

#[tokio::test]
async fn a_token_of_another_run_is_refused() {
    let mut server = Server::start(RedisOptions::new().durable()).await;
    let store = store_of(&server, &[]).await;
    let writes = (0..200).map(|number| set(&format!("k{number}"), "v"));
    store.bulk_set(writes.collect()).await;
    let page = store.list_keys("k", 10, None).await.unwrap();
    let token = page.next.unwrap();
    assert!(store.list_keys("k", 10, Some(&token)).await.is_ok());
    server.restart().await;
    eventually("it answers again", async || store.ping().await.is_ok()).await;
    let answer = store.list_keys("k", 10, Some(&token)).await;
    assert!(matches!(answer, Err(StateError::Invalid(_))), "{answer:?}");
    let answer = store.list_keys("k", 10, Some("nonsense")).await;
    assert!(matches!(answer, Err(StateError::Invalid(_))), "{answer:?}");
}
