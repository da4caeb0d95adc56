//! Dapr's HTTP API: who calls, what the answers look like, and what flows.

mod common;
#[path = "dapr_http/errors.rs"]
mod errors;
#[path = "dapr_http/sdk.rs"]
mod sdk;
#[path = "dapr_http/successes.rs"]
mod successes;

use anyhow::Result;
use berth_e2e::{Answer, Client, Host, HostBuilder, eventually, guest, timely};
use bytes::Bytes;
use common::{MIB, Village};
use futures::{StreamExt, stream};
use reqwest::{Body, Method};
use serde_json::json;
use std::net::SocketAddr;

const HELLO: &str = "  http: { paths: [/] }";

/// A village of one app, `hello`, with state and topics in memory.
fn hamlet() -> Result<Village> {
    let village = Village::new()?;
    village.folder.app("hello", &guest("hello")?, HELLO)?;
    village.component("statestore", "state.in-memory", &[])?;
    village.component("pubsub", "pubsub.in-memory", &[])?;
    Ok(village)
}

/// Saves a value of a key.
async fn save(door: &Client, key: &str, value: &str) -> Result<()> {
    let items = json!([{ "key": key, "value": value }]);
    let saved = door.post("/v1.0/state/statestore", &items).await?;
    assert_eq!(saved.status, 204, "{saved}");
    Ok(())
}

/// What is stored under a key; empty: nothing.
async fn load(door: &Client, key: &str) -> Result<String> {
    let path = format!("/v1.0/state/statestore/{key}");
    Ok(door.get(&path).await?.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_app_is_the_caller() -> Result<()> {
    let village = hamlet()?;
    let host = village.start().await?;
    assert_eq!(host.dapr_callers(), ["hello.default"]);
    let metadata = host.dapr("hello")?.get("/v1.0/metadata").await?;
    assert_eq!(metadata.json()["id"], "hello");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_several_apps_somebody_has_to_say_who_calls() -> Result<()> {
    let village = hamlet()?;
    village.folder.app("other", &guest("hello")?, "")?;
    let host = village.host().text_log().start().await?;
    assert_eq!(host.dapr_callers(), [""; 0]);
    let hint = "dapr off: --app-id APP says which app calls it, or --dapr-http-port APP=PORT for each that does";
    assert!(host.said().contains(hint), "{}", host.said());
    let named = village
        .host()
        .text_log()
        .arg("--app-id")
        .arg("till")
        .start()
        .await?;
    assert_eq!(named.dapr_callers(), ["till.default"]);
    let line = format!(
        "dapr http://{} as till, which has no guest",
        named.dapr("till")?.address()
    );
    assert!(named.said().contains(&line), "{}", named.said());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_app_calls_through_a_port_of_its_own() -> Result<()> {
    let village = hamlet()?;
    village.folder.app("other", &guest("hello")?, "")?;
    let host = with_ports(village.host(), &["other=0", "till=0"]);
    let host = host.start().await?;
    assert_eq!(host.dapr_callers(), ["other.default", "till.default"]);
    let (other, till) = (host.dapr("other")?, host.dapr("till")?);
    save(other, "k", "of other").await?;
    save(till, "k", "of till").await?;
    assert_eq!(load(other, "k").await?, "\"of other\"");
    assert_eq!(load(till, "k").await?, "\"of till\"");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_do_not_mix() -> Result<()> {
    let village = Village::new()?;
    for namespace in ["left", "right"] {
        let app = format!(
            "apiVersion: berth.dev/v1alpha1\nkind: App\nmetadata: {{ name: hello, namespace: {namespace} }}\n\
             spec:\n  guest: {}\n  http: {{ paths: [/{namespace}] }}\n",
            guest("hello")?.display()
        );
        village.folder.write(&format!("{namespace}.yaml"), app)?;
    }
    let host = with_ports(village.host(), &["hello.left=0", "till.right=0"]);
    let host = host.start().await?;
    let (left, right) = (host.dapr("hello.left")?, host.dapr("till.right")?);
    save(left, "k", "left").await?;
    assert_eq!(load(right, "k").await?, "");
    assert_eq!(load(left, "k").await?, "\"left\"");
    // Each reaches the app of its own tenant, and no other.
    let own = right.get("/v1.0/invoke/hello/method/").await?;
    assert_eq!(own.text(), "Hello, world!\n");
    let foreign = right.get("/v1.0/invoke/hello.left/method/").await?;
    assert_eq!(
        (foreign.status, &foreign.json()["errorCode"]),
        (403, &json!("ERR_DIRECT_INVOKE"))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn off_is_off() -> Result<()> {
    let village = hamlet()?;
    let host = village.host().arg("--dapr-http-port").arg("off");
    let host = host.start().await?;
    assert_eq!(host.dapr_callers(), [""; 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_its_flag() -> Result<()> {
    let village = hamlet()?;
    let first = village.start().await?;
    let port = first.dapr("hello")?.address().port().to_string();
    let second = with_ports(village.host(), &[&port]).refused().await?;
    let text = second.text();
    for expected in [
        &*format!("port {port} of 127.0.0.1 is taken"),
        "--dapr-http-port 0 picks a free one",
    ] {
        assert!(text.contains(expected), "{second}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_address_needs_a_token() -> Result<()> {
    let village = hamlet()?;
    let open = |host: HostBuilder| host.arg("--dapr-listen-addresses").arg("0.0.0.0");
    let refused = open(village.host()).refused().await?;
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(
        refused.text().contains("DAPR_API_TOKEN=$(openssl rand"),
        "{refused}"
    );
    let host = open(village.host()).env("DAPR_API_TOKEN", "a-token-that-is-not-logged");
    let host = host.start().await?;
    let door = host.dapr("hello")?;
    assert_eq!(door.address().ip().to_string(), "0.0.0.0");
    let local = SocketAddr::from(([127, 0, 0, 1], door.address().port()));
    let ask = async |path: &str, token: Option<&str>| {
        let request = reqwest::Client::new().get(format!("http://{local}{path}"));
        let request = match token {
            Some(token) => request.header("dapr-api-token", token),
            None => request,
        };
        Answer::to(request).await
    };
    for token in [None, Some("another"), Some("a-token-that-is-not-logge")] {
        let refused = ask("/v1.0/state/statestore/k", token).await?;
        assert_eq!(
            (refused.status, refused.text().trim()),
            (401, "invalid api token")
        );
        assert!(refused.header("content-type").starts_with("text/plain"));
        for open in ["/v1.0/healthz", "/v1.0/healthz/outbound"] {
            assert_eq!(ask(open, token).await?.status, 204, "{open}");
        }
    }
    let token = Some("a-token-that-is-not-logged");
    assert_eq!(ask("/v1.0/state/statestore/k", token).await?.status, 204);
    assert_eq!(ask("/v1.0/metadata", token).await?.status, 200);
    assert!(!host.said().contains("a-token-that-is-not-logged"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_heads_have_limits() -> Result<()> {
    let village = hamlet()?;
    let host = village.start().await?;
    let door = host.dapr("hello")?;
    let four = 4 * MIB as usize;
    let item = |length: usize| json!([{ "key": "k", "value": "x".repeat(length) }]);
    let fits = door
        .post("/v1.0/state/statestore", &item(four - 100))
        .await?;
    assert_eq!(fits.status, 204, "{fits}");
    assert_eq!(load(door, "k").await?.len(), four - 100 + 2);
    let over = door.post("/v1.0/state/statestore", &item(four)).await?;
    assert_eq!(
        over.text(),
        "{\"errorCode\":\"ERR_MALFORMED_REQUEST\",\"message\":\"stream too large\"}"
    );
    // Nobody says beforehand how long a chunked body is.
    let pieces = stream::iter(0..5).map(|_| anyhow::Ok(Bytes::from(vec![b' '; MIB as usize])));
    let request = door.request(Method::POST, "/v1.0/publish/pubsub/t");
    let over = Answer::to(request.body(Body::wrap_stream(pieces))).await?;
    assert_eq!(
        (over.status, &over.json()["errorCode"]),
        (500, &json!("ERR_PUBSUB_PUBLISH_MESSAGE")),
        "{over}"
    );
    let request = door.request(Method::GET, "/v1.0/healthz");
    let long = Answer::to(request.header("x-long", "x".repeat(9000))).await?;
    assert_eq!(long.status, 431);
    let larger = village
        .host()
        .arg("--max-body-size")
        .arg("5Mi")
        .arg("--read-buffer-size")
        .arg("16Ki")
        .start()
        .await?;
    let door = larger.dapr("hello")?;
    let fits = door.post("/v1.0/state/statestore", &item(four)).await?;
    assert_eq!(fits.status, 204, "{fits}");
    let request = door.request(Method::GET, "/v1.0/healthz");
    let long = Answer::to(request.header("x-long", "x".repeat(9000))).await?;
    assert_eq!(long.status, 204);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_streams_in_both_directions() -> Result<()> {
    const PIECES: usize = 3;
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "timeout: 1m, cpuTime: 1m")?;
    let host = village.host().arg("--app-id").arg("till").start().await?;
    let door = host.dapr("till")?;
    let pieces = || {
        stream::iter(0..PIECES).map(|number| {
            let letter = b'a' + u8::try_from(number).unwrap_or_default();
            anyhow::Ok(Bytes::from(vec![letter; MIB as usize]))
        })
    };
    let request = door.request(Method::POST, "/v1.0/invoke/hostile/method/echo");
    let response = request.body(Body::wrap_stream(pieces())).send().await?;
    assert_eq!(response.status(), 200);
    assert_eq!(response.content_length(), None, "the answer is chunked");
    let mut echoed = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        echoed.extend_from_slice(&chunk?);
    }
    let sent: Vec<Bytes> = pieces()
        .map(|piece| piece.unwrap_or_default())
        .collect()
        .await;
    assert!(echoed == sent.concat(), "{} bytes", echoed.len());
    // The answer begins before the request has ended.
    let mut wire = berth_e2e::Wire::connect(door.address()).await?;
    wire.begin("/v1.0/invoke/hostile/method/echo").await?;
    for number in 0..20 {
        let ping = format!("ping {number}");
        wire.send_chunk(ping.as_bytes()).await?;
        if number == 0 {
            assert_eq!(wire.head().await?.status, 200);
        }
        assert_eq!(wire.chunk().await?, ping.as_bytes());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_document_leaves_the_door_open() -> Result<()> {
    let village = hamlet()?;
    let host = village.host().arg("--app-id").arg("till").start().await?;
    let door = host.dapr("till")?;
    save(door, "k", "before").await?;
    village.component("second", "state.in-memory", &[])?;
    door.get_until("/v1.0/state/second/k", |answer| answer.status == 204)
        .await?;
    assert_eq!(load(door, "k").await?, "\"before\"");
    // An app that came later is reached, and does not close the door of an app that is now one of two.
    village.folder.app("late", &guest("hello")?, "")?;
    door.get_until("/v1.0/invoke/late/method/", |answer| answer.status == 200)
        .await?;
    assert_eq!(load(door, "k").await?, "\"before\"");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_way_is_finished_when_the_host_stops() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "timeout: 1m")?;
    let mut host: Host = village.start().await?;
    let door = host.dapr("hostile")?.clone();
    let call =
        tokio::spawn(async move { door.get("/v1.0/invoke/hostile/method/sleep?ms=1000").await });
    eventually("the call is in flight", timely(), async || {
        common::in_flight(&host, "hostile", 1).await
    })
    .await?;
    assert!(host.terminate().await?.success());
    let answer = call.await??;
    assert_eq!((answer.status, answer.text()), (200, "slept".to_owned()));
    Ok(())
}

fn with_ports(host: HostBuilder, ports: &[&str]) -> HostBuilder {
    ports
        .iter()
        .fold(host, |host, port| host.arg("--dapr-http-port").arg(port))
}
