//! Dapr's official SDKs, unchanged, against the shop. Their programs lie in `tests/sdk`.

use anyhow::{Context, Result, bail};
use berth_e2e::{Client, Host, sdk, shop};
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use tokio::process::Command;

/// Longer than a program takes.
const BOUND: Duration = Duration::from_secs(120);

/// The shop, called by native programs as its order service.
async fn start() -> Result<Host> {
    let host = Host::builder().source(shop()?);
    host.arg("--app-id").arg("order-service").start().await
}

/// Runs a program to its end; its last line is JSON.
async fn run(mut command: Command, door: &Client) -> Result<Value> {
    command
        .env("DAPR_HOST", "127.0.0.1")
        .env("DAPR_HTTP_HOST", "127.0.0.1")
        .env("DAPR_RUNTIME_HOST", "127.0.0.1")
        .env("DAPR_HTTP_PORT", door.address().port().to_string())
        .env("DAPR_HEALTH_TIMEOUT", "30")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(BOUND, command.output()).await;
    let output = output.context("the program does not end")?;
    let output = output.with_context(|| format!("starting {:?}", command.as_std()))?;
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if !output.status.success() {
        bail!("the program failed:\n{said}\n{complained}");
    }
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("its last line is no JSON:\n{said}"))
}

/// A message arrived once.
async fn notified(host: &Host, order: &str) -> Result<()> {
    let path = format!("/notifications/{order}");
    let wanted = |answer: &berth_e2e::Answer| answer.json()["sent"] == 1;
    host.client().get_until(&path, wanted).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_typescript_sdk_works_unchanged() -> Result<()> {
    let host = start().await?;
    let mut node = Command::new("node");
    node.arg(sdk("typescript", "dist/client.js")?);
    let result = run(node, host.dapr("order-service")?).await?;
    assert_eq!(
        result,
        json!({
            "cart": { "items": [{ "sku": "tea", "qty": 2 }] },
            "updated": { "items": [{ "sku": "tea", "qty": 3 }] },
            "staleEtag": 409,
            "firstWrite": 409,
            "expired": null,
            "transaction": [{ "n": 1 }, null],
            "deleted": null,
            "unknownTopic": 404,
            "secret": "an-example-and-no-real-key",
            "secrets": ["stripe-secret-key"],
            "reserved": true,
            "left": 8,
            "appId": "order-service",
        })
    );
    for order in ["typescript-1", "typescript-2", "typescript-3"] {
        notified(&host, order).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_python_sdk_invokes_over_http_unchanged() -> Result<()> {
    let host = start().await?;
    let mut python = Command::new(sdk("python", "bin/python")?);
    python.arg(berth_e2e::repository().join("tests/sdk/python/client.py"));
    let result = run(python, host.dapr("order-service")?).await?;
    assert_eq!(
        result,
        json!({
            "stocked": 200,
            "left": { "sku": "mug", "qty": 7 },
            "contentType": "application/json",
            "reserved": true,
            "unknownApp": "ERR_DIRECT_INVOKE",
        })
    );
    Ok(())
}
