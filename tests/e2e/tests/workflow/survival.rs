//! Workflows survive their host: kill -9 at any moment, a stop, and many of them at once.

use super::{Workshop, output};
use anyhow::{Result, ensure};
use berth_e2e::{Wire, eventually, timely};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::json;
use std::time::Duration;

/// Instances that run when the host is killed.
const INSTANCES: usize = 24;
/// Sequential activities of each.
const STEPS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_killed_again_and_again_loses_no_step() -> Result<()> {
    let mut shop = Workshop::open().await?;
    let seed = rand::random();
    eprintln!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    for instance in 0..INSTANCES {
        let steps: Vec<_> = (0..STEPS)
            .map(|step| json!({"activity": "once", "input": format!("i{instance}-s{step}"), "attempts": 20}))
            .collect();
        shop.start(&format!("i{instance}"), json!(steps)).await?;
    }
    for _ in 0..5 {
        // Any moment is as good as another: the pause decides which one it is.
        tokio::time::sleep(Duration::from_millis(random.random_range(5..120))).await;
        shop.host.restart().await?;
    }
    for instance in 0..INSTANCES {
        let done = shop
            .asks(&format!("wait/i{instance}"), &json!(null))
            .await?;
        let results = output(&done)?;
        ensure!(
            results.as_array().map(Vec::len) == Some(STEPS),
            "{instance}: {done}"
        );
        for step in 0..STEPS {
            // Marked by its idempotency key, each effect is there once, or twice if the host fell between effect and mark.
            let count = shop.count(&format!("i{instance}-s{step}")).await?;
            ensure!((1..=6).contains(&count), "i{instance}-s{step}: {count}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_on_after_a_stop_and_a_start() -> Result<()> {
    let mut shop = Workshop::open().await?;
    shop.start(
        "timer",
        json!([{"sleep": 300}, {"activity": "effect", "input": "timer"}]),
    )
    .await?;
    shop.start(
        "event",
        json!([{"activity": "effect", "input": "event"}, {"event": "go"}]),
    )
    .await?;
    shop.becomes("event", |seen| !seen["waitingOn"].is_null())
        .await?;
    shop.host.terminate().await?;
    shop.host.restart().await?;
    shop.asks("raise/event?event=go", &json!("there")).await?;
    let event = shop.asks("wait/event", &json!(null)).await?;
    ensure!(output(&event)? == &json!([1, "there"]), "{event}");
    let timer = shop.asks("wait/timer", &json!(null)).await?;
    ensure!(output(&timer)? == &json!([null, 1]), "{timer}");
    ensure!(shop.count("event").await? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn more_instances_wait_than_the_pool_has_places() -> Result<()> {
    let folder = berth_e2e::Folder::new()?;
    folder.app("worker", &berth_e2e::guest("worker")?, "")?;
    let host = berth_e2e::Host::builder()
        .source(folder.path())
        .arg("--max-instances")
        .arg("8")
        .start()
        .await?;
    let shop = Workshop {
        _folder: folder,
        host,
    };
    for number in 0..40 {
        shop.start(
            &format!("w{number}"),
            json!([{"activity": "echo", "input": number}, {"event": "go"}]),
        )
        .await?;
    }
    for number in 0..40 {
        let id = format!("w{number}");
        shop.becomes(&id, |seen| seen["waitingOn"].to_string().contains("go"))
            .await?;
    }
    for number in (0..40).rev() {
        shop.asks(&format!("raise/w{number}?event=go"), &json!(true))
            .await?;
    }
    for number in 0..40 {
        let done = shop.asks(&format!("wait/w{number}"), &json!(null)).await?;
        ensure!(output(&done)? == &json!([number, true]), "{done}");
    }
    Ok(())
}

/// A call over a connection that is open already.
async fn call(wire: &mut Wire, path: &str, body: &str) -> Result<String> {
    wire.post(path, body).await?;
    let head = wire.head().await?;
    let answer = wire.body(&head).await?;
    ensure!(head.status == 200, "{path}: {} {answer}", head.status);
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_can_open_no_file_goes_on_with_what_it_has() -> Result<()> {
    let shop = Workshop::open().await?;
    let steps = json!([{"event": "go"}, {"activity": "echo", "input": 7}]);
    shop.start("waits", steps).await?;
    shop.becomes("waits", |seen| seen["waitingOn"].to_string().contains("go"))
        .await?;
    let address = shop.host.client().address();
    let mut early = Wire::connect(address).await?;
    call(&mut early, "/get/waits", "null").await?;

    shop.host.take_files()?;
    let mut late = Wire::connect(address).await?;
    late.post("/get/waits", "null").await?;
    eventually("it is out of files", timely(), async || {
        let said = shop.host.said();
        let noticed = said.contains("accepting a connection");
        noticed.then_some(()).ok_or(said)
    })
    .await?;
    call(&mut early, "/raise/waits?event=go", "1").await?;
    let done = call(&mut early, "/wait/waits", "null").await?;
    ensure!(
        output(&serde_json::from_str(&done)?)? == &json!([1, 7]),
        "{done}"
    );

    shop.host.give_files_back()?;
    let head = late.head().await?;
    ensure!(
        head.status == 200,
        "whoever waited was told {}",
        head.status
    );
    ensure!(
        !shop.host.said().contains("panicked"),
        "{}",
        shop.host.said()
    );
    Ok(())
}
