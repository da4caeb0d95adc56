//! Calls between two apps of one host, answered by used and by fresh instances, beside what a native program pays for a
//! call to a native server, which is used as well, over loopback with connections that stay open.

use super::loops;
use crate::{
    host::{self, App, Host, REUSE},
    paths,
    peers::native,
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{fs, net::SocketAddr, path::Path};
use tokio::{net::TcpStream, runtime::Runtime};

const BUDGET: Budget = Budget::RatioAtLeast(2.0);
const CALLERS: u32 = 16;

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("invocation")?;
    let (used, fresh) = (
        start(settings, &folder.join("used"), REUSE)?,
        start(settings, &folder.join("fresh"), 1)?,
    );
    let server = native::start(&folder)?;
    let runtime = loops::runtime()?;
    let mut lines = Vec::new();
    for (callers, budget) in [(CALLERS, BUDGET), (1, Budget::None)] {
        // A single caller waits for every answer, and so takes several times as long.
        let calls = if callers == 1 {
            settings.calls / 8
        } else {
            settings.calls / 2
        };
        let guests = |host: &Host, path: &str| loops::guests(host, path, callers, calls);
        let [invoke_used, invoke_fresh, fetch_used, fetch_fresh, native] = alternate(
            settings.rounds,
            [
                Box::new(|| guests(&used, "/bench/invoke")),
                Box::new(|| guests(&fresh, "/bench/invoke")),
                Box::new(|| guests(&used, "/bench/fetch")),
                Box::new(|| guests(&fresh, "/bench/fetch")),
                Box::new(|| natives(&runtime, server.address, callers, calls)),
            ],
        )?;
        let peer = ("native axum over loopback", &native);
        let who = if callers == 1 {
            "1 caller".to_owned()
        } else {
            format!("{callers} callers")
        };
        for (way, calls, budget) in [
            ("berth:invocation, used instances", invoke_used, budget),
            (
                "berth:invocation, fresh instances",
                invoke_fresh,
                Budget::None,
            ),
            ("wasi:http, used instances", fetch_used, Budget::None),
            ("wasi:http, fresh instances", fetch_fresh, Budget::None),
        ] {
            let what = format!("{way}, {who}");
            lines.push(Line::beside(&what, Unit::PerSecond, &calls, peer, budget));
        }
    }
    Ok(lines)
}

/// A host with the app that calls, and the one that is called.
fn start(settings: &Settings, folder: &Path, reuse: u32) -> Result<Host> {
    fs::create_dir(folder).context("making a host's folder")?;
    let (hello, bench) = (paths::guest("hello")?, paths::guest("bench")?);
    let called = App {
        reuse,
        ..App::fresh("hello", &hello)
    };
    let apps = [called, App::fresh("bench", &bench)];
    host::run_apps(settings, folder, &host::in_memory()?, &apps)
}

/// Calls per second of several tasks with a connection each.
fn natives(runtime: &Runtime, server: SocketAddr, callers: u32, calls: u32) -> Result<f64> {
    let each = calls / callers;
    loops::natives(runtime, callers, calls, |_| call(server, each))
}

async fn call(server: SocketAddr, times: u32) -> Result<()> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driven = tokio::spawn(connection);
    for _ in 0..times {
        let request = Request::get("/hello")
            .header("host", "hello")
            .body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        ensure!(
            response.status() == 200,
            "the native server answered {}",
            response.status()
        );
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(!body.is_empty(), "the native server answered nothing");
    }
    drop(sender);
    driven.await?.context("closing the connection")
}
