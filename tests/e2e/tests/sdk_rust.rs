//! What berth-sdk offers beyond what the shop uses: each call against a running host.

mod common;

use anyhow::Result;
use berth_e2e::{Host, guest};
use common::{Village, answers, sends_where_it_may};
use serde_json::json;

/// A host with the guest, and the folder of its documents, which lives as long.
async fn host() -> Result<(Host, Village)> {
    let village = Village::new()?;
    village.folder.app("sdk-rust", &guest("sdk-rust")?, "")?;
    let secrets = village
        .folder
        .write("secrets.json", r#"{"word": "hush"}"#)?;
    let secrets = secrets.to_string_lossy();
    let kind = "secretstores.local.file";
    village.component("vault", kind, &[("secretsFile", &secrets)])?;
    let host = village.start().await?;
    Ok((host, village))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_answers_in_the_terms_of_the_sdk() -> Result<()> {
    let (host, _village) = host().await?;
    let cases = [
        (
            "/state",
            json!({
                "conflict": "conflict", "again": "conflict", "counted": 1, "many": [null, 2],
                "ofAnotherType": "malformed", "keys": ["b"], "unknown": "not-found",
            }),
        ),
        (
            "/invoke",
            json!({
                "echoed": { "rest": "x", "body": { "said": "hi" } },
                "notAnswered": "not-found", "unknown": "not-found",
            }),
        ),
        (
            "/secrets",
            json!({ "word": "hush", "all": ["word"], "unknown": "not-found" }),
        ),
        (
            "/publish",
            json!({ "failed": 0, "raw": "ok", "wrong": "not-found" }),
        ),
    ];
    answers(&host, cases).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_random_differs_between_instances() -> Result<()> {
    let (host, _village) = host().await?;
    let first = host.client().get("/surroundings").await?.json();
    let second = host.client().get("/surroundings").await?.json();
    assert_eq!(first["bytes"], 3, "{first}");
    assert_eq!(first["uuid"].as_str().map(str::len), Some(36), "{first}");
    assert_ne!(first["uuid"], second["uuid"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_out_where_it_may() -> Result<()> {
    let (host, _village) = host().await?;
    sends_where_it_may(&host, "sdk-rust").await?;
    let wrong = host.client().get("/send?to=/nowhere").await?;
    assert_eq!(
        (wrong.status, &wrong.json()["error"]),
        (400, &json!("invalid")),
        "{wrong}"
    );
    Ok(())
}
