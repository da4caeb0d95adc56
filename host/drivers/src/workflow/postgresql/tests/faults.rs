//! Servers that die, and connections that are cut in the middle of commits.

use super::*;
use berth_blocks::conformance::eventually;
use berth_servers::Proxy;
use std::sync::atomic::Ordering;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_no_acknowledged_commit() {
    let mut server = Postgres::start().await;
    let database = server.database().await;
    let store = open(&database.url()).await;
    let load = Load::start(&store).await;
    for _ in 0..2 {
        load.goes_on().await;
        server.kill();
        let gone = async || store.ping().await.is_err();
        eventually("calls fail", gone).await;
        server.restart().await;
    }
    load.goes_on().await;
    assert!(load.open.load(Ordering::Relaxed) > 0);
    load.nothing_is_lost_or_done_twice(&*store).await;
}

/// Between a commit and its answer, sooner or later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_leaves_whole_commits() {
    let database = Postgres::shared().await;
    let proxy = Proxy::before(database.port).await;
    let store = open(&database.url_through(proxy.port())).await;
    let load = Load::start(&store).await;
    for _ in 0..6 {
        load.goes_on().await;
        proxy.break_connections();
    }
    load.goes_on().await;
    assert!(load.open.load(Ordering::Relaxed) > 0);
    load.nothing_is_lost_or_done_twice(&*store).await;
}

/// It waits for a lock that somebody else holds, and is given up: it may be carried out or not, and nothing in between.
#[tokio::test]
async fn a_commit_that_takes_too_long_is_unknown_and_fences_itself() {
    let database = Postgres::shared().await;
    let store = open(&database.url()).await;
    store.join("host", NOW, LATER).await.unwrap();
    let first = create(&*store, "a", Some("host")).await;
    let other = Settings::new(&Given {
        connection_string: Some(&database.url()),
        fields: Vec::new(),
        max_connections: None,
        max_idle: None,
        query_mode: None,
        timeout: Duration::from_secs(60),
    });
    let holder = Database::shared(&context(Path::new("/nowhere")), other.unwrap())
        .await
        .unwrap();
    let lock = holder.exclusive().await.unwrap();
    let client = lock.begin().await.unwrap();
    client
        .batch_execute("SELECT 1 FROM workflow_instance WHERE key = 'a' FOR UPDATE")
        .await
        .unwrap();
    let answer = store.commit(next(&first)).await;
    assert!(
        matches!(answer, Err(WorkflowStoreError::Unavailable(_))),
        "{answer:?}"
    );
    lock.commit().await.unwrap();
    // Whatever became of it, the next commit on what is there now is the only other one.
    eventually("commits succeed", async || {
        let seen = reloaded(&*store, "a").await;
        store.commit(next(&seen)).await.is_ok()
    })
    .await;
    let row = row(&*store, "a").await;
    assert_eq!(row.version, row.events);
}
