//! Servers that die, freeze or are cut off under load.

use super::*;
use berth_servers::Proxy;

/// Writes from several tasks until it is stopped; what was acknowledged is in the answer.
struct Load {
    writers: Vec<tokio::task::JoinHandle<Vec<String>>>,
    stop: Arc<tokio::sync::watch::Sender<bool>>,
}

impl Load {
    fn start(store: &Arc<PostgresqlState>) -> Self {
        let stop = Arc::new(tokio::sync::watch::Sender::new(false));
        let writers = (0..8).map(|writer| {
            let (store, stopped) = (store.clone(), stop.subscribe());
            tokio::spawn(async move {
                let mut written = Vec::new();
                for number in 0.. {
                    if *stopped.borrow() {
                        break;
                    }
                    let key = format!("{writer}-{number}");
                    let answer = if number % 4 == 0 {
                        let operations = [set(&key, "v"), set(&format!("{key}-twin"), "v")];
                        let operations = operations.map(Operation::Set).to_vec();
                        store.transact(operations).await
                    } else {
                        store.set(set(&key, "v")).await
                    };
                    match answer {
                        Ok(()) => written.push(key),
                        Err(StateError::Unavailable(_) | StateError::Timeout(_)) => {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                }
                written
            })
        });
        Self {
            writers: writers.collect(),
            stop,
        }
    }

    async fn stop(self) -> Vec<String> {
        self.stop.send_replace(true);
        let mut written = Vec::new();
        for writer in self.writers {
            written.extend(writer.await.unwrap());
        }
        written
    }
}

async fn all_there(store: &PostgresqlState, written: &[String]) {
    let found = store.bulk_get(written, &GetOptions::default()).await;
    let lost: Vec<_> = written
        .iter()
        .zip(found)
        .filter(|(_, entry)| entry.as_ref().unwrap().is_none())
        .collect();
    assert_eq!(lost, []);
}

async fn answers(store: &PostgresqlState) -> bool {
    store.ping().await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_an_outage_and_loses_nothing_acknowledged() {
    let mut server = Postgres::start().await;
    let database = server.database().await;
    let store = Arc::new(opened(&database.url(), &[("timeout", "2s")]).await);
    let load = Load::start(&store);
    let rows = "SELECT count(*) > 50 FROM state";
    eventually("the load runs", async || database.sql(rows).await == "t").await;
    server.kill();
    let gone = async || matches!(store.ping().await, Err(StateError::Unavailable(_)));
    eventually("calls fail", gone).await;
    // Not one by one after a timeout each: all of them at once.
    let began = std::time::Instant::now();
    for _ in 0..200 {
        assert!(store.get("k", &GetOptions::default()).await.is_err());
        let operations = vec![Operation::Set(set("a", "1")), Operation::Set(set("b", "1"))];
        assert!(store.transact(operations).await.is_err());
    }
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "calls do not fail fast"
    );
    server.restart().await;
    eventually("calls succeed again", async || answers(&store).await).await;
    let written = load.stop().await;
    assert!(!written.is_empty());
    all_there(&store, &written).await;
    drop(store);
    eventually("every connection ends", async || {
        connections(&database).await == "0"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_given_up_and_found_again() {
    let server = Postgres::start().await;
    let database = server.database().await;
    let url = format!("{}?connect_timeout=1", database.url());
    let store = Arc::new(opened(&url, &[("timeout", "2s")]).await);
    store.set(set("k", "v")).await.unwrap();
    server.freeze();
    let answer = store.get("k", &GetOptions::default()).await;
    assert!(
        matches!(
            answer,
            Err(StateError::Timeout(_) | StateError::Unavailable(_))
        ),
        "{answer:?}"
    );
    let given_up = async || {
        let answer = store.get("k", &GetOptions::default()).await;
        matches!(answer, Err(StateError::Unavailable(text)) if text.contains("not connected within 1s"))
    };
    eventually("the server is given up", given_up).await;
    server.thaw();
    let found = async || matches!(store.get("k", &GetOptions::default()).await, Ok(Some(_)));
    eventually("the server is found again", found).await;
    drop(store);
    eventually("every connection ends", async || {
        connections(&database).await == "0"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_breaks_under_load_loses_nothing_acknowledged() {
    let database = Postgres::shared().await;
    let proxy = Proxy::before(database.port).await;
    let url = database.url_through(proxy.port());
    let store = Arc::new(opened(&url, &[("timeout", "5s")]).await);
    let load = Load::start(&store);
    for round in 1..4 {
        let rows = format!("SELECT count(*) > {} FROM state", round * 50);
        eventually("the load runs", async || database.sql(&rows).await == "t").await;
        proxy.break_connections();
    }
    proxy.cut();
    let gone = async || matches!(store.ping().await, Err(StateError::Unavailable(_)));
    eventually("calls fail", gone).await;
    proxy.mend();
    eventually("calls succeed again", async || answers(&store).await).await;
    let written = load.stop().await;
    all_there(&store, &written).await;
    drop(store);
    eventually("every connection ends", async || {
        connections(&database).await == "0"
    })
    .await;
}
