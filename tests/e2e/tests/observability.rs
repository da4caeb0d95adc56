//! What an operator sees of guests: log records and metrics.

mod common;

use anyhow::Result;
use berth_e2e::{Answer, Record};
use common::{Village, publish};
use reqwest::Method;

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn lines_of_a_guest_are_records_with_app_and_trace() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "")?;
    let host = village.start().await?;
    let request = host.client().request(Method::GET, "/log?n=2");
    let request = request.header("traceparent", format!("00-{TRACE_ID}-00f067aa0ba902b7-01"));
    assert_eq!(Answer::to(request).await?.text(), "logged");

    let of_the_call = |record: &Record| record.get("trace_id") == TRACE_ID;
    host.logged("the last line", |record| {
        of_the_call(record) && record.message() == "err 2"
    })
    .await?;
    let records: Vec<_> = host
        .log()
        .into_iter()
        .filter(|record| of_the_call(record))
        .collect();
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            ["scope", "app", "namespace", "stream", "level", "msg"].map(|name| record.get(name))
        })
        .collect();
    let expected = [
        ["guest", "hostile", "default", "stdout", "info", "out 1"],
        ["guest", "hostile", "default", "stderr", "warn", "err 1"],
        ["guest", "hostile", "default", "stdout", "info", "out 2"],
        ["guest", "hostile", "default", "stderr", "warn", "err 2"],
    ];
    assert_eq!(told, expected);
    Ok(())
}

#[tokio::test]
async fn a_message_keeps_the_trace_of_its_publisher() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "")?;
    village.subscription("hostile", "work")?;
    let host = village.start().await?;
    publish(&host, "hostile", "work", "traced", "fine").await?;
    let record = host
        .logged("the message is handled", |record| {
            record.message() == "handled traced"
        })
        .await?;
    assert_eq!(
        (record.get("app"), record.get("trace_id").len()),
        ("hostile", 32),
        "{record:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_guest_cannot_forge_a_record() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "")?;
    let host = village
        .host()
        .arg("--log-level")
        .arg("info")
        .start()
        .await?;
    host.client().get("/log?n=1").await?;
    host.logged("the line", |record| record.message() == "out 1")
        .await?;
    for line in host.said().lines().filter(|line| line.contains("out 1")) {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn failures_are_counted_by_reason_and_calls_are_timed() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "cpuTime: 100ms")?;
    let host = village.start().await?;
    for path in ["/trap", "/trap", "/loop", "/ok", "/ok", "/ok"] {
        host.client().get(path).await?;
    }
    let app = "app=\"hostile\"";
    for (reason, count) in [("trap", 2.0), ("cpu-time", 1.0)] {
        let label = format!("reason=\"{reason}\"");
        assert_eq!(
            host.metric("berth_guest_failures_total", &[app, &label])
                .await?,
            count,
            "{reason}"
        );
    }
    assert_eq!(
        host.metric("berth_guest_failures_total", &[app]).await?,
        3.0
    );
    assert_eq!(host.metric("berth_guest_calls_total", &[app]).await?, 6.0);
    assert_eq!(
        host.metric("berth_guest_call_seconds_count", &[app])
            .await?,
        6.0
    );
    host.client().get("/no-such-path").await?;
    assert_eq!(
        host.metric("berth_guest_failures_total", &[app]).await?,
        3.0
    );
    Ok(())
}

#[tokio::test]
async fn every_block_call_is_counted_by_app_backend_and_outcome() -> Result<()> {
    let host = berth_e2e::start_shop().await?;
    host.client().get("/inventory/tea").await?;
    host.client()
        .put("/inventory/tea", &serde_json::json!({ "qty": 1 }))
        .await?;
    let labels = ["app=\"inventory-service\"", "backend=\"statestore\""];
    let calls = host.metric("berth_block_calls_total", &labels).await?;
    assert_eq!(calls, 2.0);
    Ok(())
}
