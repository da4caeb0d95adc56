//! Bodies stream in both directions, with backpressure.

mod common;

use anyhow::Result;
use berth_e2e::{Answer, Neighbour, Wire};
use bytes::Bytes;
use common::{MIB, Village};
use futures::{StreamExt, stream};
use reqwest::{Body, Method};
use std::time::Duration;

const GIB: u64 = 1 << 30;
/// What a stream of any length may add to the host: the memory of its instance and a few buffers.
const GROWTH_MAX: u64 = 48 * MIB;
const ROOMY: &str = "requestBody: 2Gi, responseBody: 2Gi, timeout: 10m, cpuTime: 10m, memory: 16Mi";

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_flows_through_a_guest_without_growing_the_host() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", ROOMY)?;
    village.app("hello", "hello", "[/hello]", "")?;
    let host = village.start().await?;
    host.client().get("/ok").await?;
    let before = host.memory()?;
    let neighbour = Neighbour::watch(host.client(), "/hello");
    let piece = Bytes::from(vec![b'x'; MIB as usize]);
    let pieces = stream::iter(0..GIB / MIB).map(move |_| anyhow::Ok(piece.clone()));
    let request = host
        .client()
        .request(Method::POST, "/count")
        .timeout(Duration::from_secs(300));
    let answer = Answer::to(request.body(Body::wrap_stream(pieces))).await?;
    assert_eq!((answer.status, answer.text()), (200, GIB.to_string()));
    neighbour.is_well().await?;
    let growth = host.memory()?.growth_since(before);
    assert!(growth < GROWTH_MAX, "the host grew by {} MiB", growth / MIB);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_answers_while_it_still_reads() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", ROOMY)?;
    let host = village.start().await?;
    let mut wire = Wire::connect(host.client().address()).await?;
    wire.begin("/echo").await?;
    wire.send_chunk(b"ping 0").await?;
    assert_eq!(wire.head().await?.status, 200);
    assert_eq!(wire.chunk().await?, b"ping 0");
    for number in 1..50 {
        let ping = format!("ping {number}");
        wire.send_chunk(ping.as_bytes()).await?;
        assert_eq!(wire.chunk().await?, ping.as_bytes());
    }
    wire.send_chunk(b"").await?;
    assert_eq!(wire.chunk().await?, b"");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_cannot_send_either() -> Result<()> {
    const PIECES: usize = 128;
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", ROOMY)?;
    village.app("hello", "hello", "[/hello]", "")?;
    let host = village.start().await?;
    host.client().get("/ok").await?;
    let before = host.memory()?;
    let neighbour = Neighbour::watch(host.client(), "/hello");
    let mut wire = Wire::connect(host.client().address()).await?;
    wire.begin("/echo").await?;
    let piece = vec![b'x'; MIB as usize];
    let mut taken = 0;
    while taken < PIECES && wire.takes(&piece, Duration::from_secs(1)).await {
        taken += 1;
    }
    assert!(
        taken < 32,
        "the host took {taken} MiB whose echo nobody reads"
    );
    let growth = host.memory()?.growth_since(before);
    assert!(growth < GROWTH_MAX, "the host grew by {} MiB", growth / MIB);
    // What was held back flows as soon as somebody reads.
    assert_eq!(wire.head().await?.status, 200);
    let mut echoed = 0;
    while echoed < taken * MIB as usize {
        echoed += wire.chunk().await?.len();
    }
    neighbour.is_well().await?;
    Ok(())
}
