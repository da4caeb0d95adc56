//! `pubsub.redis` beside the bare redis crate: `XADD`; `XREADGROUP`, and an `XACK` for each message.

use super::{
    loops,
    topics::{self, Bare, Budgets, EVENT, PREFETCH},
};
use crate::{host, paths, report::Line, settings::Settings};
use anyhow::Result;
use berth_servers::{Redis, RedisOptions};
use futures::future::try_join_all;
use redis::{
    AsyncCommands as _,
    aio::MultiplexedConnection,
    streams::{StreamReadOptions, StreamReadReply},
};
use std::sync::Arc;

const BUDGETS: Budgets = Budgets {
    publish: 0.9,
    handle: 0.7,
};
const GROUP: &str = "bare";

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("pubsub_redis")?;
    let runtime = loops::runtime()?;
    let server = runtime.block_on(Redis::start(RedisOptions::new()));
    // As many messages at a time as the bare consumer has.
    let metadata = [
        ("redisHost", &*server.address()),
        ("concurrency", "64"),
        ("queueDepth", "64"),
    ];
    let backend = host::backend("pubsub", "pubsub.redis", "v1", &metadata);
    let host = topics::host(settings, &folder, &backend)?;
    let bare = Arc::new(runtime.block_on(Client::connect(&server.address()))?);
    topics::compare(settings, &runtime, &host, &bare, &BUDGETS)
}

struct Client {
    connection: MultiplexedConnection,
    /// It blocks.
    reader: MultiplexedConnection,
}

impl Client {
    async fn connect(address: &str) -> Result<Self> {
        let client = redis::Client::open(format!("redis://{address}/"))?;
        Ok(Self {
            connection: client.get_multiplexed_async_connection().await?,
            reader: client.get_multiplexed_async_connection().await?,
        })
    }
}

impl Bare for Client {
    const NAME: &'static str = "bare redis crate";

    async fn prepare(&self, topic: &str) -> Result<()> {
        let mut connection = self.connection.clone();
        let created = connection.xgroup_create_mkstream(topic, GROUP, "0").await;
        Ok(created?)
    }

    async fn publish(&self, topic: &str) -> Result<()> {
        let fields = [("data", EVENT)];
        let _: String = self.connection.clone().xadd(topic, "*", &fields).await?;
        Ok(())
    }

    async fn consume(&self, topic: &str, messages: u32) -> Result<()> {
        let mut reader = self.reader.clone();
        let options = StreamReadOptions::default()
            .group(GROUP, "one")
            .count(PREFETCH.into())
            .block(100);
        let mut received = 0;
        while received < messages as usize {
            let read = reader.xread_options(&[topic], &[">"], &options).await;
            let reply: Option<StreamReadReply> = read?;
            for key in reply.unwrap_or_default().keys {
                received += key.ids.len();
                let acknowledged = key
                    .ids
                    .iter()
                    .map(|entry| self.acknowledge(topic, &entry.id));
                try_join_all(acknowledged).await?;
            }
        }
        Ok(())
    }
}

impl Client {
    async fn acknowledge(&self, topic: &str, id: &str) -> Result<()> {
        let _: u64 = self.connection.clone().xack(topic, GROUP, &[id]).await?;
        Ok(())
    }
}
