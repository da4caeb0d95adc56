//! Against private servers: one that keeps everything, one that keeps nothing, a Cluster.

mod faults;

use super::*;
use crate::{
    redis::{ConnectionMetadata, redis_metadata},
    scratch::{context, metadata},
};
use berth_blocks::conformance::Subject;
use berth_servers::{Redis as Server, RedisCluster, RedisOptions};
use std::path::Path;

redis_metadata! {
    /// What every Redis has.
    struct TestMetadata {}
}

type Entries = Vec<(&'static str, String)>;

/// As a host of its own does: it shares no connection with another.
async fn open(entries: &Entries, durability: Durability) -> Arc<dyn WorkflowStore> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let metadata: TestMetadata = metadata(&entries);
    let settings: ConnectionMetadata<'_> = metadata.connection();
    let context = context(Path::new("/nowhere"));
    let redis = Redis::shared(&context, settings.settings().unwrap())
        .await
        .unwrap();
    Arc::new(RedisWorkflows::new(redis, &context.namespace, durability))
}

async fn subject(entries: Entries) -> Subject<dyn WorkflowStore> {
    let reopen = move || {
        let entries = entries.clone();
        async move { open(&entries, Durability::Server).await }
    };
    Subject::new(reopen().await).reopened_by(reopen)
}

async fn open_single() -> Subject<dyn WorkflowStore> {
    let server = Server::start(RedisOptions::new()).await;
    subject(vec![("redisHost", server.address())])
        .await
        .keeping(server)
}

berth_blocks::workflow_conformance!(single: open_single);

async fn open_cluster() -> Subject<dyn WorkflowStore> {
    let cluster = RedisCluster::start(RedisOptions::new()).await;
    let entries = vec![
        ("redisHost", cluster.addresses()),
        ("redisType", "cluster".to_owned()),
    ];
    subject(entries).await.keeping(cluster)
}

berth_blocks::workflow_conformance!(cluster: open_cluster);

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const LATER: Timestamp = Timestamp(NOW.0 + 3_600_000);

fn key(id: &str) -> InstanceKey {
    InstanceKey::new(Namespace::default(), "orders".parse().unwrap(), id)
}

fn event(seq: u64) -> EventRow {
    EventRow {
        seq,
        body: Bytes::from(format!("event {seq}")),
    }
}

fn new(key: InstanceKey, owner: Option<&str>) -> NewInstance {
    NewInstance {
        key,
        execution: "run".to_owned(),
        workflow: "order".to_owned(),
        parent: None,
        events: vec![event(0)],
        blobs: Vec::new(),
        tasks: Vec::new(),
        ready_at: NOW,
        created_at: NOW,
        owner: owner.map(str::to_owned),
    }
}

/// A commit with one more event.
fn next(row: &InstanceRow) -> Commit {
    let state = berth_blocks::workflow::InstanceState {
        status: Status::Running,
        ..berth_blocks::workflow::InstanceState::pending()
    };
    Commit {
        key: row.key.clone(),
        epoch: row.epoch,
        version: row.version,
        now: NOW,
        restart: None,
        events: vec![event(row.events)],
        blobs: Vec::new(),
        state,
        consumed: Vec::new(),
        sends: Vec::new(),
        starts: Vec::new(),
        tasks: Vec::new(),
        dropped_tasks: Vec::new(),
        release: None,
    }
}

async fn create(store: &dyn WorkflowStore, id: &str, owner: Option<&str>) -> InstanceRow {
    match store.create(new(key(id), owner), &[]).await.unwrap() {
        Created::New(row) => row,
        Created::Exists(row) => panic!("{row:?}"),
    }
}

async fn row(store: &dyn WorkflowStore, id: &str) -> InstanceRow {
    store.get(&key(id)).await.unwrap().unwrap()
}

fn claim(owner: &str, now: Timestamp) -> ClaimRequest {
    ClaimRequest {
        owner: owner.to_owned(),
        apps: vec![(Namespace::default(), "orders".parse().unwrap())],
        limit: 1_000,
        now,
    }
}

/// Every key that a server has.
async fn keys(server: &Server) -> Vec<String> {
    let client = redis::Client::open(format!("redis://{}", server.address())).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut keys: Vec<String> = cmd("KEYS")
        .arg("*")
        .query_async(&mut connection)
        .await
        .unwrap();
    keys.sort();
    keys
}

/// Nothing but the leases of hosts and the count of numbers.
#[tokio::test]
async fn a_purge_leaves_no_key() {
    let server = Server::start(RedisOptions::new()).await;
    let store = open(&vec![("redisHost", server.address())], Durability::Server).await;
    store.join("host", NOW, LATER).await.unwrap();
    create(&*store, "parent", None).await;
    let instance = NewInstance {
        blobs: vec![berth_blocks::workflow::Blob {
            digest: "digest".to_owned(),
            bytes: Bytes::from_static(b"blob"),
        }],
        tasks: vec![berth_blocks::workflow::NewTask {
            app: "orders".parse().unwrap(),
            operation: 1,
            visible_at: NOW,
            body: Bytes::from_static(b"task"),
        }],
        parent: Some(key("parent")),
        ..new(key("a"), Some("host"))
    };
    let Ok(Created::New(created)) = store.create(instance, &[]).await else {
        panic!("it exists");
    };
    let message = Message {
        dedup: Some("id".to_owned()),
        body: Bytes::from_static(b"message"),
        at: NOW,
    };
    store.send(&key("a"), message).await.unwrap();
    let mut stalled = next(&created);
    stalled.state.status = Status::Stalled;
    stalled.state.code = Some("code".to_owned());
    store.commit(stalled).await.unwrap();
    assert!(keys(&server).await.len() > 10);
    for id in ["a", "parent"] {
        assert!(store.purge(&key(id), true).await.unwrap());
    }
    assert_eq!(
        keys(&server).await,
        [
            "{berth-workflow:default}:hosts",
            "{berth-workflow:default}:numbers"
        ]
    );
}

/// A server that keeps less is refused where that was asked for, and says what to do.
#[tokio::test]
async fn a_server_that_may_lose_commits_is_refused_on_demand() {
    let refusal = async |options: RedisOptions| {
        let server = Server::start(options).await;
        let store = open(&vec![("redisHost", server.address())], Durability::Always).await;
        let joined = store.join("host", NOW, LATER).await;
        joined.map_err(|error| error.to_string().replace(&server.address(), "server"))
    };
    assert_eq!(refusal(RedisOptions::new().durable()).await, Ok(()));
    let forgetful = refusal(RedisOptions::new()).await.unwrap_err();
    assert!(
        forgetful.starts_with(
            "Redis at server: the server keeps no log of its writes (`appendonly no`)"
        ),
        "{forgetful}"
    );
    let everysec = RedisOptions::new()
        .with(&["appendonly", "yes"])
        .with(&["appendfsync", "everysec"]);
    let everysec = refusal(everysec).await.unwrap_err();
    assert!(
        everysec.contains("`appendfsync` is not `always`")
            && everysec.contains("set `appendonly yes`"),
        "{everysec}"
    );
}

/// Two hosts, and each instance goes to one of them; what one writes after it was taken for dead changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_share_a_store() {
    let server = Server::start(RedisOptions::new()).await;
    let entries = vec![("redisHost", server.address())];
    let (first, second) = tokio::join!(
        open(&entries, Durability::Server),
        open(&entries, Durability::Server)
    );
    first
        .join("first", NOW, Timestamp(NOW.0 + 10))
        .await
        .unwrap();
    second.join("second", NOW, LATER).await.unwrap();
    for number in 0..100 {
        create(&*first, &format!("{number}"), None).await;
    }
    let (one, two) = tokio::join!(
        first.claim(ClaimRequest {
            limit: 50,
            ..claim("first", NOW)
        }),
        second.claim(ClaimRequest {
            limit: 50,
            ..claim("second", NOW)
        })
    );
    let (one, two) = (one.unwrap().claimed, two.unwrap().claimed);
    let mut ids: Vec<_> = one
        .iter()
        .chain(&two)
        .map(|claimed| claimed.row.key.clone())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!((one.len(), two.len(), ids.len()), (50, 50, 100));
    let taken = second
        .claim(claim("second", Timestamp(NOW.0 + 11)))
        .await
        .unwrap();
    assert_eq!(taken.claimed.len(), 50);
    assert!(taken.claimed.iter().all(|claimed| claimed.taken_over));
    let answer = first.commit(next(&one[0].row)).await;
    assert!(
        matches!(answer, Err(WorkflowStoreError::Fenced(_))),
        "{answer:?}"
    );
    second.commit(next(&taken.claimed[0].row)).await.unwrap();
}
