//! Native servers on axum: a hello, which is what the machine gives without any guest, and a handler that reads a value
//! with the redis crate.

use crate::{
    measurements::loops::runtime,
    server::{self, Server},
};
use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{Path as Segments, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing,
};
use redis::{aio::MultiplexedConnection, cmd};
use std::{env, net::Ipv4Addr, path::Path, process::Command};
use tokio::net::TcpListener;

/// Starts the hello as a process of its own.
pub fn start(folder: &Path) -> Result<Server> {
    start_as("native-hello", &[], folder)
}

/// Starts the handler as a process of its own: `/{key}` gives the value that Redis has, as `state.redis` keeps it.
pub fn start_state(folder: &Path, redis: &str) -> Result<Server> {
    start_as("native-state", &["--redis", redis], folder)
}

/// Starts a peer of this binary as a process of its own.
pub fn start_as(command: &str, arguments: &[&str], folder: &Path) -> Result<Server> {
    let address = server::free_address();
    let own = env::current_exe().context("finding the benchmarks' own binary")?;
    let mut process = Command::new(own);
    process
        .args([command, "--port", &address.port().to_string()])
        .args(arguments);
    let log = folder.join(format!("{command}.log"));
    Server::start(&mut process, address, "/", &log)
}

/// Is the hello, until the process ends.
pub fn serve(port: u16) -> Result<()> {
    let hello = routing::get(|| async { "Hello, world!\n" });
    let router = Router::new().route("/", hello.clone()).fallback(hello);
    runtime()?.block_on(listen(port, router))
}

/// Is the handler, until the process ends.
pub fn serve_state(port: u16, redis: &str) -> Result<()> {
    runtime()?.block_on(async {
        let client = redis::Client::open(format!("redis://{redis}/"))?;
        let connection = client.get_multiplexed_async_connection().await?;
        let router = Router::new()
            .route("/", routing::get(|| async { "ready" }))
            .route("/{key}", routing::get(state))
            .with_state(connection);
        listen(port, router).await
    })
}

async fn state(
    State(mut connection): State<MultiplexedConnection>,
    Segments(key): Segments<String>,
) -> Response {
    let mut get = cmd("HMGET");
    get.arg(key).arg("data").arg("version");
    let answer: Result<(Option<Vec<u8>>, Option<String>), _> =
        get.query_async(&mut connection).await;
    match answer {
        Ok((Some(value), Some(etag))) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json".to_owned()),
                (header::ETAG, etag),
            ];
            (headers, value).into_response()
        }
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn listen(port: u16, router: Router) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // As its peers do; an error would show in the load itself.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}
