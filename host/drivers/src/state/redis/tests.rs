//! Against private servers: one, a Cluster, a set with sentinels.

mod faults;
mod layout;
mod many;

use super::*;
use crate::scratch::{context, try_metadata};
use berth_blocks::conformance::{
    Subject, eventually,
    state::{delete, set},
};
use berth_servers::{Proxy, Redis as Server, RedisCluster, RedisOptions, RedisSentinel};
use redis::{FromRedisValue, aio::MultiplexedConnection};

async fn open_single() -> Subject<dyn StateStore> {
    let server = Server::start(RedisOptions::new()).await;
    let entries = vec![("redisHost", server.address())];
    subject(entries).await.keeping(server)
}

berth_blocks::state_conformance!(single: open_single);

async fn open_cluster() -> Subject<dyn StateStore> {
    let cluster = RedisCluster::start(RedisOptions::new()).await;
    let entries = vec![
        ("redisHost", cluster.addresses()),
        ("redisType", "cluster".to_owned()),
    ];
    subject(entries).await.keeping(cluster)
}

berth_blocks::state_conformance!(cluster: open_cluster);

async fn open_sentinel() -> Subject<dyn StateStore> {
    let set = RedisSentinel::start().await;
    subject(of_sentinel(&set)).await.keeping(set)
}

berth_blocks::state_conformance!(sentinel: open_sentinel);

fn of_sentinel(set: &RedisSentinel) -> Entries {
    vec![
        ("redisHost", set.addresses()),
        ("failover", "true".to_owned()),
        ("sentinelMasterName", set.name().to_owned()),
    ]
}

type Entries = Vec<(&'static str, String)>;

async fn subject(entries: Entries) -> Subject<dyn StateStore> {
    let reopen = move || {
        let entries = entries.clone();
        async move {
            let store: Arc<dyn StateStore> = Arc::new(open_with(&entries).await.unwrap());
            store
        }
    };
    Subject::new(reopen().await).reopened_by(reopen)
}

async fn open_with(entries: &[(&str, String)]) -> Result<RedisState, OpenError> {
    open_in(context("/nowhere".as_ref()), entries).await
}

async fn open_in(
    context: OpenContext,
    entries: &[(&str, String)],
) -> Result<RedisState, OpenError> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    open(context, try_metadata(&entries)?).await
}

async fn store_of(server: &Server, more: &[(&str, &str)]) -> RedisState {
    let mut entries = vec![("redisHost", server.address())];
    entries.extend(
        more.iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    open_with(&entries).await.unwrap()
}

impl RedisState {
    async fn entry_of(&self, key: &str) -> Option<Entry> {
        self.get(key, &GetOptions::default()).await.unwrap()
    }
}

/// The server as others see it.
struct Outside(MultiplexedConnection);

impl Outside {
    async fn of(server: &Server) -> Self {
        let client = redis::Client::open(format!("redis://{}/", server.address())).unwrap();
        Self(client.get_multiplexed_async_connection().await.unwrap())
    }

    /// A command in words without blanks.
    async fn tell<T: FromRedisValue>(&self, words: &str) -> T {
        let mut words = words.split(' ');
        let mut command = cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query_async(&mut self.0.clone()).await.unwrap()
    }

    /// How many connections others have. The one that asks stays the same: one that comes and goes would be counted
    /// for a moment after it went.
    async fn clients(&self) -> usize {
        let list: String = self.tell("CLIENT LIST TYPE normal").await;
        list.lines().count() - 1
    }
}
