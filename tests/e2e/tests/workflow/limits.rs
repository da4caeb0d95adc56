//! What a workflow may not do, and guests that misbehave: the instance stalls or fails with a reason, others go on.

use super::{Workshop, output};
use anyhow::{Context, Result, ensure};
use berth_e2e::{eventually, timely};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_repeatable_stalls_and_names_itself() -> Result<()> {
    let shop = Workshop::open().await?;
    for (id, step, named) in [
        (
            "state",
            json!({"state": "statestore"}),
            "berth:state/store@0.1.0#open",
        ),
        (
            "system-sleep",
            json!({"system-sleep": 1}),
            "wasi:clocks/monotonic-clock@0.2.12#subscribe-duration",
        ),
        ("trap", json!({"trap": 1}), "unreachable"),
        ("spin", json!({"spin": 1}), "limits.cpuTime"),
        ("allocate", json!({"allocate": 100}), "limits.memory"),
        ("overflow", json!({"overflow": 1}), "wasm trap"),
    ] {
        shop.start(id, json!([{"activity": "echo", "input": 1}, step]))
            .await?;
        let problem = shop.stalls(id).await?;
        ensure!(problem.contains(named), "{id}: {problem}");
    }
    // Nobody else minds.
    let fine = shop
        .runs("fine", json!([{"activity": "echo", "input": 1}]))
        .await?;
    ensure!(output(&fine)? == &json!([1]), "{fine}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_of_a_workflow_is_the_same_in_every_run() -> Result<()> {
    let shop = Workshop::open().await?;
    let steps = json!([
        {"now": 1}, {"clocks": 1}, {"hash-order": 1}, {"uuid": 1}, {"random": 1},
        {"environment": 1}, {"file": "/etc/passwd"}, {"print": "heard once"},
        {"event": "go"},
        {"clocks": 1}, {"hash-order": 1}, {"uuid": 1},
    ]);
    shop.start("same", steps).await?;
    shop.becomes("same", |seen| !seen["waitingOn"].is_null())
        .await?;
    let mut shop = shop;
    let heard = |shop: &Workshop| shop.host.said().matches("heard once").count();
    eventually("it is heard", timely(), async || match heard(&shop) {
        0 => Err("not yet".to_owned()),
        _ => Ok(()),
    })
    .await?;
    ensure!(heard(&shop) == 1, "it printed {} times", heard(&shop));
    shop.host.restart().await?;
    shop.asks("raise/same?event=go", &json!(1)).await?;
    let done = shop.asks("wait/same", &json!(null)).await?;
    ensure!(heard(&shop) == 0, "a replay was heard");
    let results = output(&done)?.as_array().context("a list")?.clone();
    let clocks = &results[1];
    ensure!(clocks[0] == results[0], "two clocks differ: {done}");
    ensure!(clocks[1] == 0 && clocks[2] == 0, "time passed: {done}");
    ensure!(results[5] == 0 && results[6] == false, "{done}");
    ensure!(results[3] != results[11], "{done}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn activities_that_misbehave_fail_and_are_attempted_as_often_as_allowed() -> Result<()> {
    let shop = Workshop::open().await?;
    let done = shop
        .runs(
            "bad",
            json!([
                {"activity": "trap", "attempts": 2},
                {"activity": "spin", "attempts": 1},
                {"activity": "effect", "input": "calls", "attempts": 1},
            ]),
        )
        .await?;
    let results = output(&done)?;
    ensure!(results[0]["failed"] == "berth.trap", "{done}");
    ensure!(results[1]["failed"] == "berth.timeout", "{done}");
    ensure!(results[2] == 1, "{done}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_never_ends_continues_as_new_and_a_large_input_is_refused() -> Result<()> {
    let shop = Workshop::open().await?;
    let started = shop
        .asks("start/count?workflow=forever", &json!(20))
        .await?;
    ensure!(started == "count", "{started}");
    let done = shop.asks("wait/count", &json!(null)).await?;
    ensure!(output(&done)? == &json!("done"), "{done}");
    let large = "x".repeat(5 << 20);
    let refused = shop.client("start/large", &json!(large)).await?;
    ensure!(refused.text().contains("TooLarge"), "{}", refused.status);
    let illegal = shop.client("start/a%7Cb", &json!([])).await?;
    let told = shop.client("start/a|b", &json!([])).await?;
    ensure!(
        illegal.text().contains("Invalid") || told.text().contains("Invalid"),
        "{illegal} {told}"
    );
    Ok(())
}
