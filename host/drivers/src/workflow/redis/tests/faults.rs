//! Servers that die, and connections that are cut in the middle of commits.

use super::*;
use berth_blocks::conformance::eventually;
use berth_servers::Proxy;
use std::sync::atomic::Ordering;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_that_waits_for_its_disk_loses_nothing() {
    let mut server = Server::start(RedisOptions::new().durable()).await;
    let store = open(&vec![("redisHost", server.address())], Durability::Always).await;
    let load = Load::start(&store).await;
    for _ in 0..3 {
        load.goes_on().await;
        server.kill();
        eventually("calls fail", async || store.ping().await.is_err()).await;
        server.restart().await;
    }
    load.goes_on().await;
    assert!(load.open.load(Ordering::Relaxed) > 0);
    load.nothing_is_lost_or_done_twice(&*store).await;
}

/// Between a commit and its answer, sooner or later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_leaves_whole_commits() {
    let server = Server::start(RedisOptions::new()).await;
    let proxy = Proxy::before(server.port()).await;
    let address = format!("127.0.0.1:{}", proxy.port());
    let store = open(&vec![("redisHost", address)], Durability::Server).await;
    let load = Load::start(&store).await;
    for _ in 0..6 {
        load.goes_on().await;
        proxy.break_connections();
    }
    load.goes_on().await;
    assert!(load.open.load(Ordering::Relaxed) > 0);
    load.nothing_is_lost_or_done_twice(&*store).await;
}

/// A server that forgot its last writes gives no epoch twice: whoever owned an instance before is fenced off.
#[tokio::test]
async fn an_epoch_never_comes_again_although_the_server_forgets() {
    let mut server = Server::start(RedisOptions::new()).await;
    let store = open(&vec![("redisHost", server.address())], Durability::Server).await;
    store.join("host", NOW, LATER).await.unwrap();
    create(&*store, "a", None).await;
    let before = store
        .claim(claim("host", NOW))
        .await
        .unwrap()
        .claimed
        .remove(0)
        .row;
    server.kill();
    server.restart().await;
    eventually("calls succeed", async || store.ping().await.is_ok()).await;
    create(&*store, "a", None).await;
    store.join("other", NOW, LATER).await.unwrap();
    let after = store
        .claim(claim("other", NOW))
        .await
        .unwrap()
        .claimed
        .remove(0)
        .row;
    assert_eq!(before.version, after.version);
    assert!(before.epoch < after.epoch);
    let answer = store.commit(next(&before)).await;
    assert!(
        matches!(answer, Err(WorkflowStoreError::Fenced(_))),
        "{answer:?}"
    );
}
