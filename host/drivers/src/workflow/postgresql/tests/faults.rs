//! Servers that die, and connections that are cut in the middle of commits.

use super::*;
use berth_blocks::conformance::eventually;
use berth_servers::{PostgresDatabase, Proxy};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
                    if writer % 2 == 0 {
                        // One that reaches another instance is a transaction of its own.
                        commit.sends.push(berth_blocks::workflow::Outgoing {
                            to: key("target"),
                            message: Message {
                                dedup: Some(format!("{id}-{}", known.version)),
                                body: Bytes::from_static(b"hello"),
                                at: NOW,
                            },
                        });
                    }
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

    /// Stops, and looks for everything that was acknowledged. `database` shows all of it to somebody else.
    async fn nothing_is_lost_or_done_twice(
        self,
        store: &dyn WorkflowStore,
        database: &PostgresDatabase,
    ) {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            let (id, reached) = writer.await.unwrap();
            let row = row(store, &id).await;
            let history = store.history(&key(&id), 0, usize::MAX).await.unwrap();
            assert!(row.events >= reached, "{id}: {} of {reached}", row.events);
            let numbers: Vec<_> = history.iter().map(|event| event.seq).collect();
            assert_eq!(numbers, (0..row.events).collect::<Vec<_>>(), "{id}");
            // Each commit has one event: all of it happened, or nothing.
            assert_eq!(row.version, row.events, "{id}");
        }
        let sent = "SELECT count(*) = (SELECT sum(version - 1) FROM workflow_instance WHERE key IN ('0', '2', '4', '6')) \
                    FROM workflow_message";
        assert_eq!(
            database.sql(sent).await,
            "t",
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
    load.nothing_is_lost_or_done_twice(&*store, &database).await;
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
    load.nothing_is_lost_or_done_twice(&*store, &database).await;
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
