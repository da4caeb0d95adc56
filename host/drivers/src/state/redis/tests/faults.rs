//! Servers that die, freeze, or cannot be reached.

use super::*;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const SHORT: (&str, &str) = ("readTimeout", "500ms");

fn is_outage(answer: &Result<(), StateError>) -> bool {
    matches!(
        answer,
        Err(StateError::Unavailable(_) | StateError::Timeout(_))
    )
}

/// Eight writers of keys of their own, until told to stop.
struct Load {
    store: Arc<RedisState>,
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU32>,
    writers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(store: RedisState) -> Self {
        let mut load = Self {
            store: Arc::new(store),
            stop: Arc::default(),
            failed: Arc::default(),
            writers: Vec::new(),
        };
        for writer in 0..8 {
            let (store, stop, failed) =
                (load.store.clone(), load.stop.clone(), load.failed.clone());
            load.writers.push(tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let key = format!("w{writer}-{number}");
                    match store.set(set(&key, &key)).await {
                        Ok(()) => acknowledged.push(key),
                        answer => {
                            assert!(is_outage(&answer), "{answer:?}");
                            failed.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(Duration::from_millis(2)).await;
                        }
                    }
                }
                acknowledged
            }));
        }
        load
    }

    async fn runs(&self) {
        let key = || uuid::Uuid::new_v4().to_string();
        eventually("writes succeed", async || {
            self.store.set(set(&key(), "v")).await.is_ok()
        })
        .await;
    }

    async fn fails(&self) {
        let before = self.failed.load(Ordering::Relaxed);
        eventually("writes fail", async || {
            self.failed.load(Ordering::Relaxed) > before
        })
        .await;
    }

    /// Stops, and looks for everything that was acknowledged.
    async fn nothing_is_lost(self) {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            let acknowledged = writer.await.unwrap();
            assert!(!acknowledged.is_empty());
            let found = self
                .store
                .bulk_get(&acknowledged, &GetOptions::default())
                .await;
            for (key, entry) in acknowledged.iter().zip(found) {
                let value = entry.unwrap().map(|entry| entry.value);
                assert_eq!(value.as_deref(), Some(key.as_bytes()), "{key} is lost");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_and_is_found_again() {
    let mut server = Server::start(RedisOptions::new().durable()).await;
    let load = Load::on(store_of(&server, &[]).await);
    for _ in 0..3 {
        load.runs().await;
        server.kill();
        load.fails().await;
        let answer = load.store.set(set("k", "v")).await;
        assert!(
            matches!(answer, Err(StateError::Unavailable(_))),
            "{answer:?}"
        );
        server.restart().await;
        load.runs().await;
    }
    load.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_noticed_and_found_again() {
    let server = Server::start(RedisOptions::new().durable()).await;
    let load = Load::on(store_of(&server, &[SHORT, ("dialTimeout", "500ms")]).await);
    load.runs().await;
    server.freeze();
    load.fails().await;
    // First calls wait for an answer; then the connection is given up, and calls fail at once.
    eventually("calls fail at once", async || {
        matches!(
            load.store.ping().await,
            Err(StateError::Unavailable(text)) if text.contains("dialTimeout")
        )
    })
    .await;
    server.thaw();
    load.runs().await;
    load.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_is_made_again() {
    let server = Server::start(RedisOptions::new().durable()).await;
    let proxy = Proxy::before(server.port()).await;
    let host = format!("127.0.0.1:{}", proxy.port());
    let load = Load::on(open_with(&[("redisHost", host)]).await.unwrap());
    for _ in 0..5 {
        load.runs().await;
        proxy.break_connections();
    }
    load.runs().await;
    proxy.cut();
    load.fails().await;
    let answer = load.store.set(set("k", "v")).await;
    assert!(
        matches!(answer, Err(StateError::Unavailable(_))),
        "{answer:?}"
    );
    proxy.mend();
    load.runs().await;
    load.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_that_was_cut_is_made_again_unasked() {
    let server = Server::start(RedisOptions::new()).await;
    let outside = Outside::of(&server).await;
    let store = store_of(&server, &[]).await;
    for _ in 0..5 {
        let killed: usize = outside.tell("CLIENT KILL TYPE normal SKIPME yes").await;
        assert_eq!(killed, 1);
        eventually("it is connected", async || outside.clients().await == 1).await;
        // Nobody may see the gap.
        assert_eq!(store.ping().await, Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_that_sentinel_names_is_followed() {
    let mut servers = RedisSentinel::start().await;
    let store = open_with(&of_sentinel(&servers)).await.unwrap();
    let strong = SetRequest {
        consistency: Some(Consistency::Strong),
        ..set("before", "v")
    };
    store.set(strong).await.unwrap();
    servers.master.kill();
    eventually("writes fail", async || {
        is_outage(&store.set(set("during", "v")).await)
    })
    .await;
    servers.fails_over_to(servers.replica.port()).await;
    eventually("writes succeed", async || {
        store.set(set("after", "v")).await.is_ok()
    })
    .await;
    for key in ["before", "after"] {
        assert!(store.entry_of(key).await.is_some(), "{key}");
    }
    let replica = Outside::of(&servers.replica).await;
    assert!(replica.tell::<bool>("EXISTS after").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_a_cluster_that_comes_back_is_found_again() {
    let options = RedisOptions::new()
        .durable()
        .with(&["cluster-require-full-coverage", "no"]);
    let mut cluster = RedisCluster::start(options).await;
    let store = open_with(&[
        ("redisHost", cluster.addresses()),
        ("redisType", "cluster".to_owned()),
        ("readTimeout", "2s".to_owned()),
    ])
    .await
    .unwrap();
    let keys: Vec<String> = (0..60).map(|number| format!("k{number}")).collect();
    let writes = || keys.iter().map(|key| set(key, "v")).collect();
    assert!(store.bulk_set(writes()).await.iter().all(Result::is_ok));
    cluster.nodes[1].kill();
    eventually("keys of one node fail, the others do not", async || {
        let answers = store.bulk_set(writes()).await;
        let failed = answers.iter().filter(|answer| answer.is_err()).count();
        assert!(
            answers
                .iter()
                .all(|answer| answer.is_ok() || is_outage(answer)),
            "{answers:?}"
        );
        failed > 0 && failed < keys.len()
    })
    .await;
    cluster.nodes[1].restart().await;
    eventually("all of them succeed", async || {
        store.bulk_set(writes()).await.iter().all(Result::is_ok)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_first_writer_of_a_hundred_wins() {
    let server = Server::start(RedisOptions::new()).await;
    let store = Arc::new(store_of(&server, &[]).await);
    let writers = (0..100).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let first = SetRequest {
                precondition: Precondition::Absent,
                ..set("k", &writer.to_string())
            };
            store.set(first).await
        })
    });
    let answers = futures::future::join_all(writers.collect::<Vec<_>>()).await;
    let won = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(Ok(()))))
        .count();
    assert_eq!(won, 1);
}
