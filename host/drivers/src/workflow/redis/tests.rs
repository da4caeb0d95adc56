//! Against private servers: one that keeps everything, one that keeps nothing, a Cluster.

mod faults;

use super::*;
use crate::{
    redis::{ConnectionMetadata, redis_metadata},
    scratch::{context, metadata},
    workflow::acts::*,
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
        parent: Some(key("parent")),
        ..full(key("a"), Some("host"))
    };
    let Ok(Created::New(created)) = store.create(instance, &[]).await else {
        panic!("it exists");
    };
    let once = Message {
        dedup: Some("id".to_owned()),
        ..message("once")
    };
    store.send(&key("a"), once).await.unwrap();
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
