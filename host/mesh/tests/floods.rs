//! Callers that abuse HTTP/2: refused, counted, harmless to others. Frames are written by hand (RFC 9113 section 4).

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

#[path = "support/raw.rs"]
mod raw;
mod support;

use berth_blocks::invocation::Body;
use berth_mesh::ServerLimits;
use http::{Request, Response};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use support::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// A caller that writes frames as it likes.
struct Rogue(TlsStream<TcpStream>);

impl Rogue {
    async fn connect(fleet: &Fleet, host: &Host) -> Self {
        let client = raw::client(fleet, "rogue").await;
        let name = "inventory.shop.berth.internal";
        let mut stream = client.connect(host.address, name).await.unwrap();
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        let mut rogue = Self(stream);
        rogue.send(SETTINGS, 0, 0, &[]).await.unwrap();
        rogue
    }

    async fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> std::io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await
    }

    async fn read(&mut self) -> std::io::Result<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await?;
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
        Ok((head[3], stream, payload))
    }

    /// The code of the GOAWAY that ends the connection; `None`: it ended without.
    async fn ended(&mut self) -> Option<u32> {
        loop {
            match self.read().await {
                Ok((GOAWAY, _, payload)) => {
                    return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
                }
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}

/// `POST https://inventory/`, in HPACK (RFC 7541): indexed fields, and literal ones without indexing.
fn request() -> Vec<u8> {
    let mut block = vec![0x83, 0x87, 0x84];
    literal(&mut block, ":authority", "inventory");
    literal(&mut block, "berth-callee", "inventory.shop");
    block
}

fn literal(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for text in [name, value] {
        let mut length = text.len();
        if length < 127 {
            block.push(u8::try_from(length).unwrap());
        } else {
            block.push(127);
            length -= 127;
            while length >= 128 {
                block.push(u8::try_from(length % 128).unwrap() | 128);
                length /= 128;
            }
            block.push(u8::try_from(length).unwrap());
        }
        block.extend(text.as_bytes());
    }
}

/// Apps that count their calls, and never answer.
fn sleeping() -> (Arc<AtomicUsize>, Arc<Apps>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let apps = Apps::new(
        &["inventory"],
        move |caller: berth_blocks::Caller, _: Request<Body>| {
            count.fetch_add(1, Ordering::Relaxed);
            async move {
                if caller.app.as_str() == "rogue" {
                    std::future::pending::<()>().await;
                }
                Ok(Response::new(body("well")))
            }
        },
    );
    (calls, apps)
}

/// Everybody else is served as before.
async fn others_are_well(fleet: &Fleet, host: &Host) {
    let mesh = fleet.mesh(&["orders"], &[host.address]).await;
    let answer = mesh
        .call(&caller("orders"), &app("inventory"), get("/"))
        .await;
    assert_eq!(text(answer.unwrap()).await, "well");
}

#[tokio::test]
async fn rapid_reset_ends_the_connection() {
    let (counts, _guard) = Counts::record();
    let (fleet, (calls, apps)) = (Fleet::new(), sleeping());
    let host = fleet.host(&["inventory"], apps).await;
    let mut rogue = Rogue::connect(&fleet, &host).await;
    let mut stream = 1;
    // In large writes, as such floods come.
    let sending = async {
        for _ in 0..10_000 {
            rogue
                .send(HEADERS, END_STREAM | END_HEADERS, stream, &request())
                .await?;
            rogue
                .send(RST_STREAM, 0, stream, &8u32.to_be_bytes())
                .await?;
            stream += 2;
        }
        Ok::<_, std::io::Error>(())
    };
    let _ = sending.await;
    let ended = rogue.ended().await;
    assert!(matches!(ended, Some(ENHANCE_YOUR_CALM) | None), "{ended:?}");
    until("it is counted", || counts.refused("http2_flood") == 1).await;
    assert!(calls.load(Ordering::Relaxed) < 10_000);
    others_are_well(&fleet, &host).await;
}

#[tokio::test]
async fn headers_without_end_end_the_connection() {
    let (counts, _guard) = Counts::record();
    let (fleet, (calls, apps)) = (Fleet::new(), sleeping());
    let host = fleet.host(&["inventory"], apps).await;
    let mut rogue = Rogue::connect(&fleet, &host).await;
    rogue
        .send(HEADERS, END_STREAM, 1, &request())
        .await
        .unwrap();
    let mut more = Vec::new();
    literal(&mut more, "x", &"y".repeat(8_000));
    // More than any head may have, and it never ends.
    for _ in 0..10_000 {
        if rogue.send(CONTINUATION, 0, 1, &more).await.is_err() {
            break;
        }
    }
    assert!(rogue.send(CONTINUATION, 0, 1, &more).await.is_err() || rogue.ended().await.is_some());
    until("it is counted", || {
        counts.refused("http2_flood") + counts.refused("http2_protocol") == 1
    })
    .await;
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    others_are_well(&fleet, &host).await;
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused_one_by_one() {
    let (fleet, (calls, apps)) = (Fleet::new(), sleeping());
    let limits = ServerLimits {
        streams_max: 8,
        ..ServerLimits::default()
    };
    let host = fleet.host_with(&["inventory"], apps, limits).await;
    let mut rogue = Rogue::connect(&fleet, &host).await;
    for number in 0..40 {
        let stream = 2 * number + 1;
        rogue
            .send(HEADERS, END_STREAM | END_HEADERS, stream, &request())
            .await
            .unwrap();
    }
    let mut refused = 0;
    while refused < 32 {
        if let (RST_STREAM, _, payload) = rogue.read().await.unwrap() {
            assert_eq!(
                u32::from_be_bytes(payload.try_into().unwrap()),
                REFUSED_STREAM
            );
            refused += 1;
        }
    }
    assert_eq!(calls.load(Ordering::Relaxed), 8);
    others_are_well(&fleet, &host).await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_answered_with_431() {
    let (fleet, (calls, apps)) = (Fleet::new(), sleeping());
    let limits = ServerLimits {
        head_bytes_max: 8 << 10,
        ..ServerLimits::default()
    };
    let host = fleet.host_with(&["inventory"], apps, limits).await;
    let mut rogue = Rogue::connect(&fleet, &host).await;
    let mut block = request();
    literal(&mut block, "x", &"y".repeat(10_000));
    rogue
        .send(HEADERS, END_STREAM | END_HEADERS, 1, &block)
        .await
        .unwrap();
    let answer = loop {
        if let (HEADERS, 1, block) = rogue.read().await.unwrap() {
            break block;
        }
    };
    // `431` in the Huffman code of HPACK.
    assert!(
        answer.windows(3).any(|text| text == [0x69, 0x90, 0xff]),
        "{answer:x?}"
    );
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    others_are_well(&fleet, &host).await;
}

#[tokio::test]
async fn an_app_that_opens_ever_more_connections_leaves_places_for_others() {
    let (counts, _guard) = Counts::record();
    let (fleet, (_, apps)) = (Fleet::new(), sleeping());
    let limits = ServerLimits {
        connections_per_app_max: 2,
        ..ServerLimits::default()
    };
    let host = fleet.host_with(&["inventory"], apps, limits).await;
    let first = Rogue::connect(&fleet, &host).await;
    let _second = Rogue::connect(&fleet, &host).await;
    let open = |number| move || counts.of("berth_mesh_connections side=server") == number;
    until("both are at work", open(2)).await;
    let client = raw::client(&fleet, "rogue").await;
    let third = client
        .handshake(host.address, "inventory.shop.berth.internal")
        .await;
    assert!(third.is_err());
    assert_eq!(counts.refused("connections_of_app_full"), 1);
    drop(first);
    until("a place is free again", open(1)).await;
    others_are_well(&fleet, &host).await;
}

#[tokio::test]
async fn nonsense_after_the_handshake_ends_the_connection() {
    let (counts, _guard) = Counts::record();
    let (fleet, (_, apps)) = (Fleet::new(), sleeping());
    let host = fleet.host(&["inventory"], apps).await;
    let client = raw::client(&fleet, "rogue").await;
    let mut stream = client
        .connect(host.address, "inventory.shop.berth.internal")
        .await
        .unwrap();
    stream.write_all(&[b'x'; 4096]).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    until("it is counted", || counts.refused("http2_protocol") == 1).await;
    others_are_well(&fleet, &host).await;
}
