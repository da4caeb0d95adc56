//! Servers that die, and connections that are cut in the middle of commits.

use super::*;
use berth_blocks::conformance::eventually;
use berth_servers::Proxy;
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

/// Instances that are committed to without a pause, each by one writer that does what an engine does after an error: it
/// looks at what is stored.
struct Load {
    stop: Arc<AtomicBool>,
    /// Commits that were acknowledged, and those whose outcome was left open.
    acknowledged: Arc<AtomicU64>,
    open: Arc<AtomicU64>,
    writers: Vec<tokio::task::JoinHandle<(String, u64)>>,
}

impl Load {
    async fn start(store: &Arc<dyn WorkflowStore>) -> Self {
        store.join("host", NOW, LATER).await.unwrap();
        let mut load = Self {
            stop: Arc::default(),
            acknowledged: Arc::default(),
            open: Arc::default(),
            writers: Vec::new(),
        };
        create(&**store, "target", None).await;
        for writer in 0..8 {
            let id = format!("{writer}");
            let first = create(&**store, &id, Some("host")).await;
            let (store, stop) = (store.clone(), load.stop.clone());
            let (acknowledged, open) = (load.acknowledged.clone(), load.open.clone());
            load.writers.push(tokio::spawn(async move {
                let (mut known, mut reached) = (first, 0);
                while !stop.load(Ordering::Relaxed) {
                    let mut commit = next(&known);
                    commit.sends.push(berth_blocks::workflow::Outgoing {
                        to: key("target"),
                        message: Message {
                            dedup: None,
                            body: Bytes::from_static(b"hello"),
                            at: NOW,
                        },
                    });
                    match store.commit(commit).await {
                        Ok(version) => {
                            acknowledged.fetch_add(1, Ordering::Relaxed);
                            reached = known.events + 1;
                            known.version = version;
                            known.events = reached;
                        }
                        Err(WorkflowStoreError::Unavailable(_)) => {
                            open.fetch_add(1, Ordering::Relaxed);
                            known = reloaded(&*store, &id).await;
                        }
                        // One that was given up was carried out after it was looked for.
                        Err(WorkflowStoreError::Fenced(_)) => known = reloaded(&*store, &id).await,
                        Err(other) => panic!("{other:?}"),
                    }
                    assert!(known.events >= reached, "an acknowledged commit is gone");
                }
                (id, reached)
            }));
        }
        load
    }

    async fn goes_on(&self) {
        let before = self.acknowledged.load(Ordering::Relaxed);
        eventually("commits succeed", async || {
            self.acknowledged.load(Ordering::Relaxed) > before + 50
        })
        .await;
    }

    /// Stops, and looks for everything that was acknowledged.
    async fn nothing_is_lost_or_done_twice(self, store: &dyn WorkflowStore) {
        self.stop.store(true, Ordering::Relaxed);
        let mut sent = 0;
        for writer in self.writers {
            let (id, reached) = writer.await.unwrap();
            let row = row(store, &id).await;
            let history = store.history(&key(&id), 0, usize::MAX).await.unwrap();
            assert!(row.events >= reached, "{id}: {} of {reached}", row.events);
            assert_eq!(history.len() as u64, row.events, "{id}");
            for (place, stored) in (0..).zip(history) {
                assert_eq!(stored, event(place), "{id}");
            }
            // Each commit has one event: all of it happened, or nothing.
            assert_eq!(row.version, row.events, "{id}");
            sent += row.version - 1;
        }
        let inbox = store
            .inbox(&key("target"), MessageId::START, usize::MAX)
            .await;
        assert_eq!(
            inbox.unwrap().len() as u64,
            sent,
            "messages without their commits"
        );
    }
}

async fn reloaded(store: &dyn WorkflowStore, id: &str) -> InstanceRow {
    loop {
        match store.get(&key(id)).await {
            Ok(Some(row)) => return row,
            Ok(None) => panic!("{id} is gone"),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

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
