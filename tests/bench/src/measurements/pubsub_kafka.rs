//! `pubsub.kafka` beside bare rdkafka, both on librdkafka's own mock of a cluster: what the client costs, not a broker.

use super::{
    loops,
    topics::{self, Bare, Budgets, EVENT},
};
use crate::{host, paths, report::Line, settings::Settings};
use anyhow::{Result, anyhow};
use berth_servers::MockKafka;
use rdkafka::{
    ClientConfig,
    consumer::{CommitMode, Consumer as _, StreamConsumer},
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};
use std::sync::Arc;

const BUDGETS: Budgets = Budgets {
    publish: 0.7,
    handle: 0.7,
};

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("pubsub_kafka")?;
    let runtime = loops::runtime()?;
    let cluster = MockKafka::start(1);
    let brokers = cluster.brokers();
    let metadata = [
        ("brokers", &*brokers),
        ("authType", "none"),
        ("initialOffset", "oldest"),
    ];
    let backend = host::backend("pubsub", "pubsub.kafka", "v1", &metadata);
    let host = topics::host(settings, &folder, &backend)?;
    // The consumer wants a runtime around it when it is made.
    let bare = Arc::new(runtime.block_on(async { Client::new(&brokers) })?);
    topics::compare(settings, &runtime, &host, &bare, &BUDGETS)
}

struct Client {
    producer: FutureProducer,
    /// A member of its group from the first round on: joining takes seconds.
    consumer: StreamConsumer,
}

impl Client {
    fn new(brokers: &str) -> Result<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("enable.idempotence", "true")
            .create()?;
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "bare")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .create()?;
        Ok(Self { producer, consumer })
    }
}

impl Bare for Client {
    const NAME: &'static str = "bare rdkafka";

    async fn prepare(&self, _: &str) -> Result<()> {
        // The broker makes topics when they are asked for.
        Ok(())
    }

    async fn publish(&self, topic: &str) -> Result<()> {
        let record = FutureRecord::<(), _>::to(topic).payload(EVENT);
        let sent = self.producer.send(record, Timeout::Never).await;
        sent.map(|_| ()).map_err(|(error, _)| anyhow!(error))
    }

    async fn consume(&self, topic: &str, messages: u32) -> Result<()> {
        let consumer = &self.consumer;
        if consumer.subscription()?.count() == 0 {
            consumer.subscribe(&[topic])?;
        }
        consumer.resume(&consumer.assignment()?)?;
        for _ in 0..messages {
            consumer.store_offset_from_message(&consumer.recv().await?)?;
        }
        consumer.commit_consumer_state(CommitMode::Sync)?;
        // Like a host that stands still while the next backlog is published, it fetches nothing meanwhile.
        consumer.pause(&consumer.assignment()?)?;
        Ok(())
    }
}
