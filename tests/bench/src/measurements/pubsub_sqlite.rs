//! Messages through `pubsub.sqlite`: published, received by a consumer group, acknowledged. All of it is on the disk.

use super::{driver, loops};
use crate::{
    paths,
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::{Context, Result};
use berth_blocks::pubsub::{Consumer, OutboundMessage, PubSub, SubscribeRequest};
use bytes::Bytes;
use futures::future::try_join_all;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

const EVENT: &str = r#"{"specversion":"1.0","id":"17","source":"shop","type":"order","topic":"orders","data":{"orderId":"17","totalCents":1250}}"#;
/// Messages that the consumer holds at the same time.
const PREFETCH: usize = 64;

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("pubsub_sqlite")?;
    let runtime = loops::runtime()?;
    let opened = runtime.block_on(driver::open("pubsub.sqlite", folder))?;
    let broker = opened.pubsub.context("pubsub.sqlite serves topics")?;
    let mut lines = Vec::new();
    for publishers in [1, 64] {
        let [messages] = alternate(
            settings.rounds,
            [Box::new(|| {
                load(&runtime, &broker, publishers, settings.round)
            })],
        )?;
        let what = format!("messages, {publishers} published at a time");
        lines.push(Line::alone(&what, Unit::PerSecond, &messages, Budget::None));
    }
    drop(broker);
    Ok(lines)
}

/// Messages per second until the last one of the round is acknowledged.
fn load(
    runtime: &Runtime,
    broker: &Arc<dyn PubSub>,
    publishers: usize,
    round: Duration,
) -> Result<f64> {
    let topic = format!("orders-{publishers}");
    let request = SubscribeRequest {
        topic: topic.clone(),
        group: "bench".to_owned(),
        prefetch: PREFETCH,
        metadata: Vec::new(),
    };
    runtime.block_on(async {
        let consumer = broker.subscribe(request).await?;
        let acknowledged = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let consuming = tokio::spawn(consume(consumer, acknowledged.clone()));
        let publishing = (0..publishers)
            .map(|_| tokio::spawn(publish_until(broker.clone(), began + round, topic.clone())));
        let mut published = 0;
        for count in try_join_all(publishing).await? {
            published += count?;
        }
        while acknowledged.load(Ordering::Relaxed) < published && !consuming.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let took = began.elapsed();
        if consuming.is_finished() {
            consuming.await??;
        } else {
            consuming.abort();
        }
        Ok(published as f64 / took.as_secs_f64())
    })
}

async fn publish_until(broker: Arc<dyn PubSub>, end: Instant, topic: String) -> Result<u64> {
    let mut published = 0;
    while Instant::now() < end {
        let message = OutboundMessage {
            topic: topic.clone(),
            data: Bytes::from_static(EVENT.as_bytes()),
            content_type: "application/cloudevents+json".to_owned(),
            ttl: None,
            partition_key: None,
            metadata: Vec::new(),
            retain: None,
        };
        broker.publish(message).await?;
        published += 1;
    }
    Ok(published)
}

/// Acknowledges whatever comes, every message on its own, as deliveries to guests end.
async fn consume(mut consumer: Box<dyn Consumer>, acknowledged: Arc<AtomicU64>) -> Result<()> {
    loop {
        for message in consumer.receive(PREFETCH).await? {
            let acknowledged = acknowledged.clone();
            tokio::spawn(async move {
                if message.lease.acknowledge().await.is_ok() {
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    }
}
