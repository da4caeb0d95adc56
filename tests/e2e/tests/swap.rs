//! Changes while the host runs: validated first, then swapped in without a dropped request or message.

mod common;

use anyhow::{Context, Result, ensure};
use berth_e2e::{Answer, Client, Host, eventually, guest, timely};
use common::{Village, dead_letters, in_flight, publish};
use reqwest::Method;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::task::JoinSet;

/// Clients that ask without a pause.
const CLIENTS: usize = 8;
/// How often each thing is changed.
const CHANGES: u64 = 4;

/// Clients that ask again and again; the first answer that is not the wanted one fails the test.
struct Traffic {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    clients: JoinSet<Result<()>>,
}

impl Traffic {
    fn start(client: &Client, path: &'static str, wanted: fn(&Answer) -> bool) -> Self {
        let (stop, answers) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (client, stop, answers) = (client.clone(), stop.clone(), answers.clone());
            clients.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = client
                        .get(path)
                        .await
                        .with_context(|| format!("GET {path}"))?;
                    ensure!(wanted(&answer), "GET {path}: {answer}");
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        Self {
            stop,
            answers,
            clients,
        }
    }

    /// Waits for some more answers: what comes before was asked before.
    async fn flows(&self) -> Result<()> {
        let from = self.answers.load(Ordering::Relaxed);
        eventually("requests flow", timely(), async || {
            let answers = self.answers.load(Ordering::Relaxed) - from;
            if answers >= 4 * CLIENTS as u64 {
                Ok(())
            } else {
                Err(format!("{answers} answers"))
            }
        })
        .await
    }

    async fn stop(mut self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(client) = self.clients.join_next().await {
            client??;
        }
        Ok(self.answers.load(Ordering::Relaxed))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_document_is_swapped_in_without_a_failed_request() -> Result<()> {
    let village = Village::new()?;
    let version = |number: u64| {
        let spec =
            format!("  http: {{ paths: [/] }}\n  allow: {{ env: {{ VERSION: \"{number}\" }} }}");
        village.folder.app("hostile", &guest("hostile")?, &spec)
    };
    version(0)?;
    let host = village.start().await?;
    let traffic = Traffic::start(host.client(), "/sleep?ms=30", |answer| {
        answer.text() == "slept"
    });
    for number in 1..=CHANGES {
        traffic.flows().await?;
        version(number)?;
        let wanted = format!("VERSION={number}");
        host.client()
            .get_until("/env", |answer| answer.text() == wanted)
            .await?;
    }
    traffic.flows().await?;
    let answers = traffic.stop().await?;
    eprintln!("{answers} answers, none failed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_guest_is_swapped_in_without_a_failed_request() -> Result<()> {
    let village = Village::new()?;
    village.folder.copy(&guest("hello")?, "guest.wasm")?;
    village
        .folder
        .app("app", "./guest.wasm".as_ref(), "  http: { paths: [/ok] }")?;
    let host = village.start().await?;
    let traffic = Traffic::start(host.client(), "/ok", |answer| {
        answer.status == 200 && ["Hello, world!\n", "ok"].contains(&answer.text().as_str())
    });
    for number in 1..=CHANGES {
        traffic.flows().await?;
        let (name, text) = if number % 2 == 1 {
            ("hostile", "ok")
        } else {
            ("hello", "Hello, world!\n")
        };
        village.folder.copy(&guest(name)?, "guest.wasm")?;
        host.client()
            .get_until("/ok", |answer| answer.text() == text)
            .await?;
    }
    traffic.flows().await?;
    let answers = traffic.stop().await?;
    eprintln!("{answers} answers, none failed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_is_lost_while_its_subscriber_is_replaced() -> Result<()> {
    let village = Village::new()?;
    let secrets = village
        .folder
        .write("secrets.json", r#"{"contract-secret": "s3cret"}"#)?;
    let secrets = secrets.to_string_lossy();
    village.component(
        "secretstore",
        "secretstores.local.file",
        &[("secretsFile", &secrets)],
    )?;
    village
        .folder
        .copy(&guest("contract-rust")?, "guest.wasm")?;
    village.app("publisher", "hello", "[/hello]", "")?;
    let subscriber = |concurrency: u64| {
        let spec = format!(
            "  http: {{ paths: [/received, /echo] }}\n  limits: {{ concurrency: {concurrency} }}"
        );
        village
            .folder
            .app("subscriber", "./guest.wasm".as_ref(), &spec)
    };
    subscriber(16)?;
    let host = Arc::new(village.start().await?);

    let stop = Arc::<AtomicBool>::default();
    let publishing = tokio::spawn({
        let (host, stop) = (host.clone(), stop.clone());
        async move {
            let mut published = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                publish(
                    &host,
                    "publisher",
                    "contract",
                    &format!("swap-{published}"),
                    "x",
                )
                .await?;
                published += 1;
            }
            anyhow::Ok(published)
        }
    });
    for number in 1..=CHANGES {
        let before = calls(&host).await?;
        let (name, concurrency) = if number % 2 == 1 {
            ("contract-c", 17)
        } else {
            ("contract-rust", 16)
        };
        village.folder.copy(&guest(name)?, "guest.wasm")?;
        subscriber(concurrency + number)?;
        eventually(
            "the new guest is there and receives",
            timely(),
            async || {
                let now = calls(&host).await.map_err(|error| format!("{error:#}"))?;
                if now.loaded != before.loaded && now.calls > 20 {
                    Ok(())
                } else {
                    Err(format!("{now:?}, before {before:?}"))
                }
            },
        )
        .await?;
    }
    stop.store(true, Ordering::Relaxed);
    let published = publishing.await??;
    for number in 0..published {
        let path = format!("/received/swap-{number}");
        host.client()
            .get_until(&path, |answer| answer.status == 200)
            .await?;
    }
    let lost = dead_letters(&host, "contract-dlq")
        .await
        .map_err(anyhow::Error::msg)?;
    assert!(lost.is_empty(), "{lost:?}");
    eprintln!("{published} messages, none lost");
    Ok(())
}

/// What identifies a loaded guest, and how often it was called.
#[derive(Debug, PartialEq)]
struct Calls {
    loaded: u64,
    calls: u64,
}

/// Counters begin anew with a new guest; the number of reloads in the log tells them apart.
async fn calls(host: &Host) -> Result<Calls> {
    let apps = host.admin().get("/apps").await?;
    let list = apps.json().as_array().cloned().unwrap_or_default();
    let app = list.iter().find(|app| app["appId"] == "subscriber");
    let calls = app
        .and_then(|app| app["calls"].as_u64())
        .with_context(|| apps.to_string())?;
    let reloads = host
        .log()
        .iter()
        .filter(|record| record.message() == "change applied")
        .count();
    Ok(Calls {
        loaded: reloads as u64,
        calls,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_change_is_refused_with_its_reason_and_the_old_version_stays() -> Result<()> {
    let village = Village::new()?;
    village.folder.copy(&guest("hello")?, "guest.wasm")?;
    let good = "  http: { paths: [/ok] }";
    village.folder.app("app", "./guest.wasm".as_ref(), good)?;
    let host = village.start().await?;
    let traffic = Traffic::start(host.client(), "/ok", |answer| {
        answer.text() == "Hello, world!\n"
    });

    village
        .folder
        .app("app", "./guest.wasm".as_ref(), "  http: { pathz: [/ok] }")?;
    said(&host, &["app.yaml:7:11", "pathz"]).await?;
    traffic.flows().await?;
    village.folder.app("app", "./guest.wasm".as_ref(), good)?;

    village.folder.write("guest.wasm", "no Wasm at all")?;
    said(&host, &["guest.wasm", "is not WebAssembly"]).await?;
    traffic.flows().await?;

    // A folder without its only app would leave nothing to serve; the file may be on its way back.
    village.folder.copy(&guest("hello")?, "guest.wasm")?;
    fs::remove_file(village.folder.path().join("guest.wasm"))?;
    said(&host, &["no file", "guest.wasm"]).await?;
    traffic.flows().await?;

    village.folder.copy(&guest("hostile")?, "guest.wasm")?;
    traffic.stop().await?;
    host.client()
        .get_until("/ok", |answer| answer.text() == "ok")
        .await?;
    Ok(())
}

async fn said(host: &Host, texts: &[&str]) -> Result<()> {
    eventually(&format!("the log names {texts:?}"), timely(), async || {
        let said = host.said();
        let missing: Vec<_> = texts.iter().filter(|text| !said.contains(**text)).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("{missing:?} is missing"))
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_app_is_served_and_a_removed_one_is_gone() -> Result<()> {
    let village = Village::new()?;
    village.app("hello", "hello", "[/hello]", "")?;
    let host = village.start().await?;
    assert_eq!(host.client().get("/hostile/ok").await?.status, 404);
    village.app("hostile", "hostile", "[/ok]", "")?;
    host.client()
        .get_until("/ok", |answer| answer.text() == "ok")
        .await?;
    let slow = host.client().request(Method::GET, "/hello");
    assert_eq!(Answer::to(slow).await?.status, 200);
    fs::remove_file(village.folder.path().join("hostile.yaml"))?;
    host.client()
        .get_until("/ok", |answer| answer.reason() == "no-route")
        .await?;
    assert_eq!(host.client().get("/hello").await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_flight_ends_with_the_guest_that_it_began_with() -> Result<()> {
    let village = Village::new()?;
    let version = |number: u64| {
        let spec = format!(
            "  http: {{ paths: [/] }}\n  limits: {{ timeout: 30s }}\n  allow: {{ env: {{ VERSION: \"{number}\" }} }}"
        );
        village.folder.app("hostile", &guest("hostile")?, &spec)
    };
    version(1)?;
    let host = village.start().await?;
    let client = host.client().clone();
    let slow = tokio::spawn(async move { client.get("/sleep?ms=8000").await });
    eventually("the call runs", timely(), async || {
        in_flight(&host, "hostile", 1).await
    })
    .await?;
    version(2)?;
    host.client()
        .get_until("/env", |answer| answer.text() == "VERSION=2")
        .await?;
    ensure!(!slow.is_finished(), "the swap took longer than the call");
    assert_eq!(slow.await??.text(), "slept");
    Ok(())
}
