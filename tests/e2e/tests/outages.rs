//! Servers that die, freeze and are cut off while the shop takes orders: what was acknowledged is never lost, what was
//! not is refused soon, and the host finds its server again by itself.

use anyhow::{Result, ensure};
use berth_e2e::{Fault, Load, Set, Tally, eventually};
use berth_servers::extent;
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use std::{env, sync::Arc, time::Duration};

/// Orders of one round, in the middle of which the server fails.
const ROUND: u64 = 60;
/// The load reaches the next point within this time.
const PROGRESS_BOUND: Duration = Duration::from_secs(120);
/// What a host may grow by while it is told again and again that its server is away.
const GROWTH_BOUND: u64 = 96 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_outlives_outages_of_redis() -> Result<()> {
    outlives(Set::Redis, 20).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_outlives_outages_of_postgresql() -> Result<()> {
    outlives(Set::Postgresql, extent(3, 20)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_outlives_outages_of_rabbitmq() -> Result<()> {
    outlives(Set::Rabbitmq, extent(3, 20)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_outlives_outages_of_kafka() -> Result<()> {
    outlives(Set::Kafka, extent(3, 20)).await
}

async fn outlives(set: Set, faults: usize) -> Result<()> {
    let seed = match env::var("BERTH_E2E_SEED") {
        Ok(text) => text.parse()?,
        Err(_) => rand::random(),
    };
    eprintln!("seed {seed}: repeat with BERTH_E2E_SEED={seed}");
    let mut faults: Vec<Fault> = Fault::ALL.into_iter().cycle().take(faults).collect();
    faults.shuffle(&mut SmallRng::seed_from_u64(seed));

    let (shop, mut server) = set.frail_shop().await?;
    let host = shop.host();
    let load = Load {
        prefix: "outage",
        orders: ROUND * faults.len() as u64,
        skus: 50,
        concurrency: 16,
    };
    load.stock_up(host.client()).await?;
    let mut before = None;
    for (round, fault) in faults.into_iter().enumerate() {
        let tally = Arc::new(Tally::default());
        let placing = tokio::spawn({
            let (load, client, tally) = (load.clone(), host.client().clone(), tally.clone());
            let first = round as u64 * ROUND;
            async move { load.place_some(first..first + ROUND, &client, &tally).await }
        });
        reaches("orders are taken", async || tally.acknowledged() > 0).await?;
        reaches("its queues are saved", async || server.has_saved()).await?;
        server.fail(fault);
        reaches("orders are refused", async || {
            tally.repeated() > 0 || placing.is_finished()
        })
        .await?;
        server.recover(fault).await;
        placing.await??;
        eprintln!("{fault:?}: {} attempts were refused", tally.repeated());
        before.get_or_insert(host.memory()?);
    }
    load.verify(host.client()).await?;
    if let Some(before) = before {
        let growth = host.memory()?.growth_since(before);
        ensure!(growth < GROWTH_BOUND, "the host grew by {growth} bytes");
    }
    Ok(())
}

async fn reaches(what: &str, mut reached: impl AsyncFnMut() -> bool) -> Result<()> {
    eventually(what, PROGRESS_BOUND, async || {
        reached()
            .await
            .then_some(())
            .ok_or_else(|| "not yet".to_owned())
    })
    .await
}
