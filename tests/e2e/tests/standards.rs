//! Guests that know nothing of berth, and what WASI grants.

mod common;

use anyhow::{Context, Result};
use berth_e2e::{Host, guest};
use common::Village;
use serde_json::Value;
use std::fs;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

#[tokio::test]
async fn a_wasi_http_0_2_component_runs_without_any_document() -> Result<()> {
    let host = Host::run(guest("hello")?).await?;
    for path in ["/", "/any/path?x=1"] {
        let answer = host.client().get(path).await?;
        assert_eq!(
            (answer.status, answer.text()),
            (200, "Hello, world!\n".to_owned()),
            "{path}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_wasi_http_0_3_component_runs_without_any_document() -> Result<()> {
    let host = Host::run(guest("hello-p3")?).await?;
    for path in ["/", "/any/path?x=1"] {
        let answer = host.client().get(path).await?;
        assert_eq!(
            (answer.status, answer.text()),
            (200, "Hello, world!\n".to_owned()),
            "{path}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn reused_instances_answer_like_fresh_ones() -> Result<()> {
    let village = Village::new()?;
    for (app, name) in [("two", "hello"), ("three", "hello-p3")] {
        let spec = format!("  http: {{ paths: [/{app}] }}\n  instances: {{ reuse: 100 }}");
        village.folder.app(app, &guest(name)?, &spec)?;
    }
    let host = village.start().await?;
    for _ in 0..250 {
        for path in ["/two", "/three"] {
            let answer = host.client().get(path).await?;
            assert_eq!(
                (answer.status, answer.text()),
                (200, "Hello, world!\n".to_owned()),
                "{path}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_first_key_value_draft_and_the_configuration_are_served() -> Result<()> {
    every_check_passes("keyvalue").await
}

#[tokio::test]
async fn the_second_key_value_draft_is_served() -> Result<()> {
    every_check_passes("keyvalue-draft2").await
}

async fn every_check_passes(name: &str) -> Result<()> {
    let village = Village::new()?;
    village
        .folder
        .app(name, &guest(name)?, "  allow: { env: { greeting: hello } }")?;
    let host = village.start().await?;
    // Twice: the second run finds what the first one left.
    for _ in 0..2 {
        let answer = host.client().get("/").await?;
        let checks = answer
            .json()
            .as_array()
            .cloned()
            .with_context(|| answer.to_string())?;
        let failed: Vec<&Value> = checks.iter().filter(|check| check["ok"] != true).collect();
        assert_eq!(failed, Vec::<&Value>::new());
        assert!(checks.len() >= 11, "{checks:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_granted_is_denied_as_wasi_denies_it() -> Result<()> {
    let server = Server::start().await?;
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "")?;
    let host = village
        .host()
        .env("SECRET_OF_THE_HOST", "x")
        .start()
        .await?;
    let ask = async |path: String| {
        let answer = host.client().get(&path).await?;
        anyhow::Ok((answer.status, answer.text()))
    };
    assert_eq!(ask("/env".into()).await?, (200, String::new()));
    for path in ["/", "/etc/passwd", ".", "/proc/self/environ"] {
        let (status, text) = ask(format!("/file?path={path}")).await?;
        assert_eq!(status, 403, "{path}: {text}");
    }
    let (status, text) = ask(format!("/sockets?address={}", server.address)).await?;
    assert_eq!(status, 403, "{text}");
    let (status, text) = ask(format!("/connect?url=http://{}/", server.address)).await?;
    assert_eq!(
        (status, text.contains("HttpRequestDenied")),
        (502, true),
        "{text}"
    );
    assert_eq!(host.client().get("/random").await?.text().len(), 32);
    Ok(())
}

#[tokio::test]
async fn what_is_granted_is_reachable() -> Result<()> {
    let server = Server::start().await?;
    let village = Village::new()?;
    village.folder.write("readable/note.txt", "read me")?;
    let spec = format!(
        "  http: {{ paths: [/] }}\n  allow:\n    outbound: [\"http://{}\"]\n    \
         files: [{{ host: ./readable, guest: /data, access: read }}]\n    env: {{ LOG_LEVEL: debug }}",
        server.address
    );
    village.folder.app("hostile", &guest("hostile")?, &spec)?;
    village.app("hello", "hello", "[/hello]", "")?;
    let host = village.start().await?;
    let ask = async |path: String| {
        let answer = host.client().get(&path).await?;
        anyhow::Ok((answer.status, answer.text()))
    };
    assert_eq!(ask("/env".into()).await?, (200, "LOG_LEVEL=debug".into()));
    assert_eq!(
        ask("/file?path=/data/note.txt".into()).await?,
        (200, "read me".into())
    );
    assert_eq!(
        ask("/file?path=/data".into()).await?,
        (200, "note.txt".into())
    );
    for path in ["/data/../../etc/passwd", "/etc/passwd"] {
        assert_eq!(ask(format!("/file?path={path}")).await?.0, 403, "{path}");
    }
    assert_eq!(
        ask(format!("/connect?url=http://{}/", server.address)).await?,
        (200, "204".into())
    );
    // Another app by its ID is service invocation; no grant is needed and none is given for the rest.
    assert_eq!(
        ask("/connect?url=http://hello/".into()).await?,
        (200, "200".into())
    );
    assert_eq!(ask("/connect?url=http://127.0.0.1:1/".into()).await?.0, 502);
    Ok(())
}

#[tokio::test]
async fn a_link_out_of_a_granted_folder_leads_nowhere() -> Result<()> {
    let village = Village::new()?;
    let outside = village.folder.write("outside.txt", "not yours")?;
    village.folder.write("granted/own.txt", "yours")?;
    std::os::unix::fs::symlink(&outside, village.folder.path().join("granted/link"))?;
    fs::write(&outside, "not yours")?;
    let spec = "  http: { paths: [/] }\n  allow: { files: [{ host: ./granted, guest: /data }] }";
    village.folder.app("hostile", &guest("hostile")?, spec)?;
    let host = village.start().await?;
    assert_eq!(
        host.client().get("/file?path=/data/own.txt").await?.text(),
        "yours"
    );
    assert_eq!(
        host.client().get("/file?path=/data/link").await?.status,
        403
    );
    Ok(())
}

/// Answers 204 to everything.
struct Server {
    address: std::net::SocketAddr,
}

impl Server {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    if stream.read(&mut request).await.is_ok_and(|size| size > 0) {
                        let _ = stream
                            .write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
                            .await;
                    }
                });
            }
        });
        Ok(Self { address })
    }
}
