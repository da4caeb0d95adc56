//! Ten thousand requests at once.

mod common;

use anyhow::Result;
use berth_e2e::{Neighbour, Wire, raise_file_limit};
use common::{MIB, Village};
use futures::{StreamExt, TryStreamExt, stream};
use std::time::Instant;

/// Requests at the same time, if the machine lets one process have that many connections.
const REQUESTS: u64 = 10_000;
/// Files that the test itself needs.
const FILES_OWN: u64 = 200;
/// Connections that are made at the same time, below the backlog of the kernel.
const CONNECTING: usize = 256;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_requests_at_once_are_answered_each() -> Result<()> {
    let requests = REQUESTS.min(raise_file_limit()? - FILES_OWN);
    if requests < REQUESTS {
        eprintln!("{requests} requests only: this machine allows no more open files");
    }
    let village = Village::new()?;
    village.app(
        "hostile",
        "hostile",
        "[/]",
        "concurrency: 32, queue: 1000, timeout: 20s",
    )?;
    village.app("hello", "hello", "[/hello]", "")?;
    let host = village.start().await?;
    let address = host.client().address();
    let before = host.memory()?;
    let neighbour = Neighbour::watch(host.client(), "/hello");

    let begun = Instant::now();
    let wires: Vec<Wire> = stream::iter(0..requests)
        .map(|_| Wire::connect(address))
        .buffer_unordered(CONNECTING)
        .try_collect()
        .await?;
    eprintln!("{requests} connections after {:?}", begun.elapsed());
    let asking = wires.into_iter().map(|mut wire| async move {
        wire.get("/sleep?ms=200").await?;
        let head = wire.head().await?;
        let reason = head.header("berth-reason").to_owned();
        anyhow::Ok((head.status, reason, head.header("retry-after").to_owned()))
    });
    let answers: Vec<_> = stream::iter(asking)
        .buffer_unordered(usize::MAX)
        .try_collect()
        .await?;
    eprintln!("{} answers after {:?}", answers.len(), begun.elapsed());
    neighbour.is_well().await?;

    let slept = answers.iter().filter(|(status, ..)| *status == 200).count();
    let overloaded = (503, "overloaded".to_owned(), "1".to_owned());
    let refused = answers
        .iter()
        .filter(|answer| **answer == overloaded)
        .count();
    assert_eq!(
        slept + refused,
        answers.len(),
        "{slept} slept, {refused} were refused"
    );
    assert!(
        slept >= 1000 && refused > 0,
        "{slept} slept, {refused} were refused"
    );
    let growth = host.memory()?.growth_since(before);
    assert!(growth < 600 * MIB, "the host grew by {} MiB", growth / MIB);
    Ok(())
}
