//! Messages in batches (`bulkSubscribe`).

mod common;

use anyhow::Result;
use berth_e2e::{Host, eventually, timely};
use common::{Village, dead_letters, publish};
use serde_json::Value;
use std::collections::BTreeSet;

/// An app of this guest takes `work` in batches, with a retry policy, on a broker whose leases last a second.
fn village(guest: &str, bulk: &str, metadata: &str) -> Result<Village> {
    let village = Village::new()?;
    village.app("app", guest, "[/app]", "timeout: 30s")?;
    let queue = village.folder.path().join("queue.db");
    let queue = queue.to_string_lossy();
    let settings = [("connectionString", &*queue), ("leaseDuration", "1s")];
    village.component("pubsub", "pubsub.sqlite", &settings)?;
    let document = format!(
        "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata: {{ name: work }}\nspec:\n  pubsubname: pubsub\n  \
         topic: work\n  routes: {{ default: /on-work }}\n  deadLetterTopic: work-dlq\n  bulkSubscribe: {bulk}\n  \
         metadata: {metadata}\nscopes: [app]\n"
    );
    village.folder.write("work.yaml", document)?;
    let retries = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: { name: retries }\nspec:\n  policies:\n    \
                   retries:\n      soon: { policy: constant, duration: 50ms, maxRetries: 2 }\n  targets:\n    \
                   components:\n      pubsub: { inbound: { retry: soon } }\n";
    village.folder.write("resiliency.yaml", retries)?;
    Ok(village)
}

/// What follows these words in the records of the guest, in order.
fn said(host: &Host, words: &str) -> Vec<String> {
    let log = host.log();
    let rest = log
        .iter()
        .filter_map(|record| record.message().strip_prefix(words));
    rest.map(str::to_owned).collect()
}

async fn handled(host: &Host, wanted: &[String]) -> Result<()> {
    eventually("every message is handled", timely(), async || {
        let done: BTreeSet<_> = said(host, "handled ").into_iter().collect();
        let missing: Vec<_> = wanted.iter().filter(|id| !done.contains(*id)).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!("{missing:?} is missing")),
        }
    })
    .await
}

fn ids(name: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{name}-{number}"))
        .collect()
}

async fn letters(host: &Host, count: usize) -> Result<Vec<Value>> {
    eventually("the dead letters", timely(), async || {
        match dead_letters(host, "work-dlq").await? {
            letters if letters.len() == count => Ok(letters),
            letters => Err(format!("{letters:?}")),
        }
    })
    .await
}

const BULK: &str = "{ enabled: true, maxMessagesCount: 10, maxAwaitDurationMs: 500 }";

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_in_batches_and_each_has_its_own_fate() -> Result<()> {
    let village = village("probe", BULK, "{}")?;
    let host = village.start().await?;
    let fine = ids("fine", 40);
    for (number, id) in fine.iter().enumerate() {
        publish(&host, "app", "work", id, "fine").await?;
        // One that crashes its batch lies in another one than those that are counted.
        match number {
            5 => publish(&host, "app", "work", "dropped", "drop").await?,
            6 => publish(&host, "app", "work", "poison", "retry").await?,
            7 => publish(&host, "app", "work", "silent", "silent").await?,
            25 => publish(&host, "app", "work", "crashing", "crash").await?,
            _ => {}
        }
    }
    handled(&host, &fine).await?;
    let letters = letters(&host, 4).await?;
    let mut dead: Vec<_> = letters
        .iter()
        .map(|letter| {
            let mark = |name: &str| letter["metadata"][name].as_str().unwrap_or_default();
            let reason = mark("deadLetterReason")
                .split('(')
                .next()
                .unwrap_or_default();
            (reason.trim(), mark("deadLetterAttempts"))
        })
        .collect();
    dead.sort_unstable();
    let reasons = [
        ("the app answered DROP", "1"),
        ("the app answered RETRY", "3"),
        ("the app gave this entry no status", "3"),
    ];
    assert_eq!(dead[..3], reasons, "{letters:?}");
    assert_eq!(dead[3].1, "3", "{letters:?}");
    let sizes: Vec<usize> = said(&host, "batch of ")
        .iter()
        .filter_map(|size| size.parse().ok())
        .collect();
    assert!(sizes.iter().all(|size| *size <= 10), "{sizes:?}");
    assert!(sizes.iter().any(|size| *size > 1), "{sizes:?}");
    // A batch that crashed is repeated, message by message; nothing else comes twice.
    let repeated = said(&host, "handled ").len() - fine.len();
    assert!(repeated < 10, "{repeated} came twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_under_way_when_the_host_is_killed_comes_again() -> Result<()> {
    let village = village("probe", BULK, "{}")?;
    let mut host = village.start().await?;
    let slow = ids("slow", 5);
    for id in &slow {
        publish(&host, "app", "work", id, "slow:700").await?;
    }
    eventually("a message is under way", timely(), async || {
        match said(&host, "begun ").is_empty() {
            true => Err("none".to_owned()),
            false => Ok(()),
        }
    })
    .await?;
    host.kill9().await?;
    host.restart().await?;
    handled(&host, &slow).await?;
    // Longer than a lease: it was extended, or another attempt would have come in between.
    assert_eq!(said(&host, "handled ").len(), slow.len());
    assert_eq!(letters(&host, 0).await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_without_an_envelope_come_in_base64() -> Result<()> {
    let village = village("probe", BULK, "{ rawPayload: \"true\" }")?;
    let host = village.start().await?;
    let path = "/publish/pubsub/work?app=app&metadata.rawPayload=true";
    let request = host.admin().request(reqwest::Method::POST, path);
    let answer = berth_e2e::Answer::to(request.body(vec![0xff, 0x00])).await?;
    assert_eq!(answer.status, 204, "{answer}");
    handled(&host, &["/wA=".to_owned()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_export_gets_its_messages_one_by_one_and_at_once() -> Result<()> {
    // Nobody would see the end of this wait.
    let bulk = "{ enabled: true, maxAwaitDurationMs: 3600000 }";
    let village = village("hostile", bulk, "{}")?;
    let host = village.start().await?;
    let fine = ids("fine", 5);
    for id in &fine {
        publish(&host, "app", "work", id, "fine").await?;
    }
    handled(&host, &fine).await
}
