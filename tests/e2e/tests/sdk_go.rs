//! What the Go SDK offers beyond what the shop and the contract guest use: each call against a running host.

mod common;

use anyhow::Result;
use berth_e2e::{Host, guest};
use common::{Village, answers, sends_where_it_may};
use serde_json::json;

/// A host with the guest, and the folder of its documents, which lives as long.
async fn host() -> Result<(Host, Village)> {
    let village = Village::new()?;
    let limits = "  limits: { memory: 256Mi, cpuTime: 60s, timeout: 60s }";
    village.folder.app("sdk-go", &guest("sdk-go")?, limits)?;
    let host = village.host().baseline().start().await?;
    Ok((host, village))
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_can_do_what_the_contract_has() -> Result<()> {
    let (host, _village) = host().await?;
    let cases = [
        (
            "/context",
            json!({
                "id": true, "status": "at it", "bytes": 5, "uuid": 36, "year": true, "patched": true,
                "doubled": [2, 4], "ended": true, "refused": "refused never", "child": 3, "first": 1,
                "said": "hi", "late": "timeout", "again": "0",
            }),
        ),
        (
            "/client",
            json!({
                "exists": "exists", "unknown": "not-found", "late": "timeout", "missing": true,
                "nobody": "not-found", "statuses": ["completed", "canceled", "terminated"],
                "page": 2, "more": true, "listed": 2, "rerun": "c-4", "purged": [true, false],
            }),
        ),
    ];
    answers(&host, cases).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_out_where_it_may() -> Result<()> {
    let (host, _village) = host().await?;
    sends_where_it_may(&host, "sdk-go").await
}

#[tokio::test(flavor = "multi_thread")]
async fn goroutines_run_long_answers_are_streamed_and_a_panic_is_a_trap() -> Result<()> {
    let (host, _village) = host().await?;
    let together = host.client().get("/goroutines").await?;
    assert_eq!(together.json(), json!({ "total": 806 }), "{together}");
    let long = host.client().get("/stream").await?;
    assert_eq!(long.text().len(), 300 * 1024);
    let broken = host.client().get("/panic").await?;
    assert_eq!(broken.json()["errorCode"], "ERR_GUEST_TRAP", "{broken}");
    assert_eq!(host.client().get("/goroutines").await?.status, 200);
    Ok(())
}
