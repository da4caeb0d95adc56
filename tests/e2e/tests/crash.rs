//! `kill -9` at random moments: nothing is lost, nothing happens twice, nothing needs repair.

use anyhow::{Result, ensure};
use berth_e2e::{Load, Tally, eventually, start_shop};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{env, sync::Arc, time::Duration};

/// Times that the host is killed while orders run.
const KILLS: u64 = 6;
/// Longest wait between the moment that the load has come far enough and the kill.
const WITHIN_MS: u64 = 300;
/// The load reaches its next kill within this time.
const PROGRESS_BOUND: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn every_order_happens_once_however_often_the_host_is_killed() -> Result<()> {
    let load = Load {
        prefix: "crash",
        orders: number("BERTH_E2E_ORDERS", 10_000)?,
        skus: 200,
        concurrency: 48,
    };
    let seed = number("BERTH_E2E_SEED", rand::random())?;
    eprintln!("seed {seed}: repeat with BERTH_E2E_SEED={seed}");
    let mut random = SmallRng::seed_from_u64(seed);

    let mut shop = start_shop().await?;
    load.stock_up(shop.client()).await?;
    let tally = Arc::new(Tally::default());
    let placing = tokio::spawn({
        let (load, client, tally) = (load.clone(), shop.client().clone(), tally.clone());
        async move { load.place(&client, &tally).await }
    });

    for kill in 0..KILLS {
        let share = load.orders / KILLS;
        let from = kill * share + random.random_range(0..share.max(1));
        eventually(&format!("{from} orders"), PROGRESS_BOUND, async || {
            let acknowledged = tally.acknowledged();
            let reached = acknowledged >= from || placing.is_finished();
            reached
                .then_some(())
                .ok_or_else(|| format!("{acknowledged} orders"))
        })
        .await?;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..WITHIN_MS))).await;
        shop.kill9().await?;
        eprintln!("killed after {} orders", tally.acknowledged());
        if kill % 3 == 2 {
            // Once more while it starts.
            shop.restart_unwatched()?;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..WITHIN_MS))).await;
            shop.kill9().await?;
        }
        shop.restart().await?;
    }
    placing.await??;
    eprintln!("{} attempts were not answered", tally.repeated());
    ensure!(
        tally.repeated() > 0,
        "no kill hit an order: the test proves nothing"
    );

    load.verify(shop.client()).await?;
    let audit = shop.client().get("/audit").await?;
    assert_eq!(
        audit.json(),
        serde_json::json!([]),
        "no message became a dead letter"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_under_way_when_the_host_is_killed_comes_again() -> Result<()> {
    let load = Load {
        prefix: "again",
        orders: 50,
        skus: 10,
        concurrency: 50,
    };
    let mut shop = start_shop().await?;
    load.stock_up(shop.client()).await?;
    load.place(shop.client(), &Arc::default()).await?;
    // Acknowledged orders have been announced; some of their messages have not been handled.
    shop.kill9().await?;
    shop.restart().await?;
    load.verify(shop.client()).await
}

fn number(variable: &str, default: u64) -> Result<u64> {
    env::var(variable).map_or(Ok(default), |text| Ok(text.parse()?))
}
