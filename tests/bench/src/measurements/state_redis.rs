//! `state.redis` beside the bare redis crate with one connection that all callers share.

use super::{
    loops,
    stores::{self, Bare},
};
use crate::{host, paths, report::Line, settings::Settings};
use anyhow::Result;
use berth_servers::{Redis, RedisOptions};
use redis::{Script, aio::MultiplexedConnection, cmd};
use std::sync::Arc;

/// What a write has to do at least, as Dapr does it: look at the version and the marker, write, count.
const WRITE: &str = "redis.pcall('HGET', KEYS[1], 'version') \
                     redis.pcall('HGET', KEYS[1], 'first-write') \
                     redis.call('HSET', KEYS[1], 'data', ARGV[1]) \
                     return redis.call('HINCRBY', KEYS[1], 'version', 1)";

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("state_redis")?;
    let runtime = loops::runtime()?;
    let server = runtime.block_on(Redis::start(RedisOptions::new()));
    let metadata = [("redisHost", &*server.address())];
    let backend = host::backend("statestore", "state.redis", "v1", &metadata);
    let host = stores::host(settings, &folder, &backend)?;
    let bare = Arc::new(runtime.block_on(Client::connect(&server.address()))?);
    stores::compare(settings, &runtime, &host, &bare)
}

struct Client {
    connection: MultiplexedConnection,
    write: String,
}

impl Client {
    async fn connect(address: &str) -> Result<Self> {
        let client = redis::Client::open(format!("redis://{address}/"))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let write = Script::new(WRITE).load_async(&mut connection).await?;
        Ok(Self { connection, write })
    }
}

impl Bare for Client {
    const NAME: &'static str = "bare redis crate";

    async fn get(&self, key: &str) -> Result<()> {
        let mut get = cmd("HMGET");
        get.arg(key).arg("data").arg("version");
        let _: (Vec<u8>, String) = get.query_async(&mut self.connection.clone()).await?;
        Ok(())
    }

    async fn set(&self, key: &str) -> Result<()> {
        let mut set = cmd("EVALSHA");
        set.arg(&self.write).arg(1).arg(key).arg(stores::VALUE);
        let _: u64 = set.query_async(&mut self.connection.clone()).await?;
        Ok(())
    }
}
