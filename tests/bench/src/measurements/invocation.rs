//! Calls between two apps of one host, each answered by a fresh instance, beside what a native program pays for a call
//! to a native server over loopback with connections that stay open.

use crate::{
    host::{self, App},
    http, paths,
    peers::native,
    report::{Budget, Line, Unit},
    samples::alternate,
    server::Server,
    settings::Settings,
};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::future::try_join_all;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, runtime::Runtime};

const BUDGET: Budget = Budget::RatioAtLeast(2.0);
const CALLERS: u32 = 16;
const PATIENCE: Duration = Duration::from_secs(300);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("invocation")?;
    let (hello, bench) = (paths::guest("hello")?, paths::guest("bench")?);
    let apps = [App::fresh("hello", &hello), App::fresh("bench", &bench)];
    let host = host::run_apps(settings, &folder, &apps)?;
    let server = native::start(&folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut lines = Vec::new();
    for (callers, budget) in [(CALLERS, BUDGET), (1, Budget::None)] {
        // A single caller waits for every answer, and so takes several times as long.
        let calls = if callers == 1 {
            settings.calls / 8
        } else {
            settings.calls / 2
        };
        let [invoke, fetch, native] = alternate(
            settings.rounds,
            [
                Box::new(|| guests(&host, "invoke", callers, calls)),
                Box::new(|| guests(&host, "fetch", callers, calls)),
                Box::new(|| natives(&runtime, server.address, callers, calls)),
            ],
        )?;
        let peer = ("native axum over loopback", &native);
        let who = if callers == 1 {
            "1 caller".to_owned()
        } else {
            format!("{callers} callers")
        };
        for (way, calls) in [("berth:invocation", invoke), ("wasi:http", fetch)] {
            let what = format!("{way}, {who}");
            lines.push(Line::beside(&what, Unit::PerSecond, &calls, peer, budget));
        }
    }
    Ok(lines)
}

/// Calls per second of several instances of the guest that calls in a loop.
fn guests(host: &Server, way: &str, callers: u32, calls: u32) -> Result<f64> {
    let path = format!("/bench/{way}?n={}", calls / callers);
    let began = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|_| scope.spawn(|| http::get(host.address, &path, PATIENCE)))
            .collect();
        for thread in threads {
            let answered = thread.join();
            answered.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(f64::from(calls) / began.elapsed().as_secs_f64())
    })
}

/// Calls per second of several tasks with a connection each.
fn natives(runtime: &Runtime, server: SocketAddr, callers: u32, calls: u32) -> Result<f64> {
    let each = calls / callers;
    runtime.block_on(async {
        let began = Instant::now();
        let tasks = (0..callers).map(|_| tokio::spawn(call(server, each)));
        for done in try_join_all(tasks).await? {
            done?;
        }
        Ok(f64::from(calls) / began.elapsed().as_secs_f64())
    })
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
