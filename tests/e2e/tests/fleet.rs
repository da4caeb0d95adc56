//! Hosts that share their servers: each message is for one of them, and what a killed one held the others take over.

use anyhow::{Result, ensure};
use berth_e2e::{Client, Fleet, Host, Set, eventually, order, timely};
use berth_servers::extent;
use futures::{StreamExt, TryStreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::SliceRandom};
use serde_json::{Value, json};
use std::{env, ops::Range};

const HOSTS: usize = 2;
/// Messages of one call.
const BULK: u64 = 100;
/// Messages between two moments at which a host may be killed.
const STAGE: u64 = 1_000;
/// Messages that are published before anything fails.
const CALM: u64 = 1_000;
/// Number of the first message that is published until every host has a share: far from those that are counted.
const WARM_UP: u64 = 1 << 32;
/// Calls under way at the same time.
const CONCURRENCY: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn on_redis_nothing_is_lost_when_hosts_are_killed() -> Result<()> {
    messages_survive_their_hosts(Set::Redis, 13).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_and_rabbitmq_nothing_is_lost_when_hosts_are_killed() -> Result<()> {
    messages_survive_their_hosts(Set::Rabbitmq, 14).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_and_kafka_nothing_is_lost_when_hosts_are_killed() -> Result<()> {
    messages_survive_their_hosts(Set::Kafka, 15).await
}

async fn messages_survive_their_hosts(set: Set, number: usize) -> Result<()> {
    let (messages, kills) = extent((20_000, 5), (100_000, 20));
    let seed = match env::var("BERTH_E2E_SEED") {
        Ok(text) => text.parse()?,
        Err(_) => rand::random(),
    };
    eprintln!("seed {seed}: repeat with BERTH_E2E_SEED={seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let mut fleet = set.fleet(number, HOSTS).await?;
    each_message_is_for_one_host(&fleet).await?;

    let stages = messages / STAGE;
    let mut fatal: Vec<u64> = (0..stages).collect();
    fatal.shuffle(&mut random);
    fatal.truncate(kills);
    for stage in 0..stages {
        let first = CALM + stage * STAGE;
        if let Some(most) = set.backlog_max() {
            let long_ago = first.saturating_sub(most);
            let before = long_ago.saturating_sub(STAGE);
            all_handled(&fleet.hosts[0], before..long_ago).await?;
        }
        publish(&fleet, first..first + STAGE).await?;
        if fatal.contains(&stage) {
            let victim = &mut fleet.hosts[random.random_range(0..HOSTS)];
            victim.kill9().await?;
            eprintln!("killed after {} messages", first + STAGE);
            victim.restart().await?;
        }
    }
    all_handled(&fleet.hosts[0], 0..CALM + messages).await
}

/// Without a failure every message comes once.
async fn each_message_is_for_one_host(fleet: &Fleet) -> Result<()> {
    every_host_takes_part(fleet).await?;
    publish(fleet, 0..CALM).await?;
    for number in 0..CALM {
        let told = notification(fleet.hosts[0].client(), number).await?;
        ensure!(told["deliveries"] == 1, "{told}");
    }
    Ok(())
}

/// Waits until each host has a share of the messages: while a host joins a consumer group of Kafka, the others give up
/// partitions, and what they have under way comes again.
async fn every_host_takes_part(fleet: &Fleet) -> Result<()> {
    let mut first = WARM_UP;
    eventually("every host has a share", timely(), async || {
        let numbers = first..first + BULK;
        first = numbers.end;
        let text = |error: anyhow::Error| format!("{error:#}");
        publish(fleet, numbers.clone()).await.map_err(text)?;
        for number in numbers {
            let told = notification(fleet.hosts[0].client(), number).await;
            told.map_err(text)?;
        }
        let mut shares = Vec::new();
        for host in &fleet.hosts {
            let labels = [r#"app="notification-service""#, r#"outcome="success""#];
            let handled = host.metric("berth_deliveries_total", &labels).await;
            shares.push(handled.map_err(text)?);
        }
        let all = shares.iter().all(|share| *share > 0.0);
        all.then_some(()).ok_or_else(|| format!("{shares:?}"))
    })
    .await
}

/// Every message was handled, and what it did was done once.
async fn all_handled(host: &Host, numbers: Range<u64>) -> Result<()> {
    stream::iter(numbers)
        .map(async |number| {
            let told = notification(host.client(), number).await?;
            ensure!(told["sent"] == 1, "{told}");
            anyhow::Ok(())
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}

/// What the shop knows of a message, as soon as it has come.
async fn notification(shop: &Client, number: u64) -> Result<Value> {
    let path = format!("/notifications/{}", id(number));
    let told = |answer: &berth_e2e::Answer| answer.status == 200 && answer.json()["sent"] != 0;
    Ok(shop.get_until(&path, told).await?.json())
}

fn id(number: u64) -> String {
    format!("fleet-{number}")
}

/// Publishes until all is taken, through hosts by turns.
async fn publish(fleet: &Fleet, numbers: Range<u64>) -> Result<()> {
    let calls = numbers.clone().step_by(usize::try_from(BULK)?);
    stream::iter(calls)
        .map(|first| publish_some(fleet, first..(first + BULK).min(numbers.end)))
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}

async fn publish_some(fleet: &Fleet, numbers: Range<u64>) -> Result<()> {
    let host = &fleet.hosts[usize::try_from(numbers.start / BULK)? % HOSTS];
    let entries: Vec<_> = numbers
        .map(|number| {
            json!({
                "entryId": number.to_string(),
                "event": order(&id(number), "ada", "tea", 1),
                "contentType": "application/json",
            })
        })
        .collect();
    let door = host.dapr("order-service")?;
    eventually("messages are taken", timely(), async || {
        let path = "/v1.0-alpha1/publish/bulk/pubsub/orders";
        match door.post(path, &json!(entries)).await {
            Ok(answer) if answer.status == 204 => Ok(()),
            Ok(answer) => Err(answer.to_string()),
            Err(error) => Err(format!("{error:#}")),
        }
    })
    .await
}
