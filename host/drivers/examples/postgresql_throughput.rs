//! What `state.postgresql` costs beside the bare client: gets and sets per second at 16 and 128 callers against one
//! private server. The bare client has one connection that all callers share, then as many as the driver has. Rounds
//! alternate, and the best of each counts.
//!
//! `cargo run --release -p berth-drivers --example postgresql_throughput`
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use berth_blocks::{
    registry::{Connections, Metadata, OpenContext},
    state::{GetOptions, Precondition, SetRequest, StateStore},
};
use berth_servers::Postgres;
use bytes::Bytes;
use futures::future::join_all;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_postgres::{Client, NoTls, Statement};

const TIME: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;
const VALUE: &[u8] = &[b'x'; 200];
/// What Dapr sends.
const GET: &str = "SELECT value, etag, expires_at FROM state
    WHERE key = $1 AND (expires_at IS NULL OR expires_at >= now())";
const SET: &str = "INSERT INTO state AS t (key, value, etag, expires_at)
    VALUES ($1, $2, gen_random_uuid(), NULL)
    ON CONFLICT (key) DO UPDATE SET value = $2, updated_at = now(), etag = gen_random_uuid(), expires_at = NULL";

#[tokio::main]
async fn main() {
    let server = Postgres::start().await;
    let database = server.database().await;
    let lanes: usize = std::env::args()
        .nth(1)
        .map_or(2, |lanes| lanes.parse().unwrap());
    let store = open(&database.url(), lanes * 2).await;
    let writes = (0..1_000).map(|number| write(key(number)));
    let answers = store.bulk_set(writes.collect()).await;
    assert!(answers.iter().all(Result::is_ok));
    let mut bare = Vec::new();
    for connections in [1, lanes] {
        bare.push(Bare::connect(&database.url(), connections).await);
    }
    for callers in [16, 128] {
        let (mut own, mut one, mut same) = (0.0_f64, 0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            one = one.max(bare[0].gets(callers).await);
            own = own.max(gets(&store, callers).await);
            same = same.max(bare[1].gets(callers).await);
        }
        report("get", callers, own, [one, same]);
        let (mut own, mut one, mut same) = (0.0_f64, 0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            one = one.max(bare[0].sets(callers).await);
            own = own.max(sets(&store, callers).await);
            same = same.max(bare[1].sets(callers).await);
        }
        report("set", callers, own, [one, same]);
    }
}

fn report(what: &str, callers: usize, own: f64, [one, same]: [f64; 2]) {
    println!(
        "{what} {callers:4} callers {own:8.0}/s; bare with one connection {one:8.0}/s: {:.2}; with as many {same:8.0}/s: {:.2}",
        own / one,
        own / same
    );
}

async fn open(url: &str, connections: usize) -> Arc<dyn StateStore> {
    let context = OpenContext {
        name: "bench".to_owned(),
        namespace: "default".parse().unwrap(),
        data_dir: std::env::temp_dir(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let metadata = Metadata::from_iter([
        ("connectionString".to_owned(), url.into()),
        ("maxConns".to_owned(), connections.into()),
    ]);
    let registry = berth_drivers::registry();
    let driver = registry.driver("state.postgresql").unwrap();
    let opened = (driver.open)(context, metadata).await.unwrap();
    opened.state.unwrap()
}

fn key(number: u64) -> String {
    format!("app||key-{}", number % 1_000)
}

fn write(key: String) -> SetRequest {
    SetRequest {
        key,
        value: Bytes::from_static(VALUE),
        precondition: Precondition::None,
        consistency: None,
        ttl: None,
        content_type: None,
        metadata: Vec::new(),
    }
}

/// Calls per second of `callers` tasks, each with a number that no other call has.
async fn rate<F>(callers: usize, call: impl Fn(u64) -> F + Clone + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send,
{
    let (begun, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let tasks = (0..callers).map(|_| {
        let (call, next) = (call.clone(), next.clone());
        tokio::spawn(async move {
            while begun.elapsed() < TIME {
                call(next.fetch_add(1, Ordering::Relaxed)).await;
            }
        })
    });
    for task in join_all(tasks.collect::<Vec<_>>()).await {
        task.unwrap();
    }
    #[allow(clippy::cast_precision_loss)]
    let calls = next.load(Ordering::Relaxed) as f64;
    calls / begun.elapsed().as_secs_f64()
}

async fn gets(store: &Arc<dyn StateStore>, callers: usize) -> f64 {
    let store = store.clone();
    rate(callers, move |number| {
        let store = store.clone();
        async move {
            let entry = store.get(&key(number), &GetOptions::default()).await;
            assert_eq!(entry.unwrap().unwrap().value.len(), VALUE.len());
        }
    })
    .await
}

async fn sets(store: &Arc<dyn StateStore>, callers: usize) -> f64 {
    let store = store.clone();
    rate(callers, move |number| {
        let store = store.clone();
        async move { store.set(write(key(number))).await.unwrap() }
    })
    .await
}

/// The client without a driver.
struct Bare(Arc<Vec<(Client, Statement, Statement)>>);

impl Bare {
    async fn connect(url: &str, connections: usize) -> Self {
        let mut clients = Vec::new();
        for _ in 0..connections {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            let get = client.prepare(GET).await.unwrap();
            let set = client.prepare(SET).await.unwrap();
            clients.push((client, get, set));
        }
        Self(Arc::new(clients))
    }

    async fn gets(&self, callers: usize) -> f64 {
        let clients = self.0.clone();
        rate(callers, move |number| {
            let clients = clients.clone();
            async move {
                let (client, get, _) = &clients[number as usize % clients.len()];
                let row = client.query_one(get, &[&key(number)]).await.unwrap();
                let value: Vec<u8> = row.get(0);
                assert_eq!(value.len(), VALUE.len());
            }
        })
        .await
    }

    async fn sets(&self, callers: usize) -> f64 {
        let clients = self.0.clone();
        rate(callers, move |number| {
            let clients = clients.clone();
            async move {
                let (client, _, set) = &clients[number as usize % clients.len()];
                client.execute(set, &[&key(number), &VALUE]).await.unwrap();
            }
        })
        .await
    }
}
