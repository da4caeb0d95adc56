//! Native servers on axum: a hello, which is what the machine gives without any guest, and a store in memory without
//! any rule around it.

use crate::{
    measurements::driver,
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
use berth_blocks::state::{GetOptions, Precondition, SetRequest, StateStore};
use bytes::Bytes;
use std::{env, net::Ipv4Addr, path::Path, path::PathBuf, process::Command, sync::Arc};
use tokio::net::TcpListener;

/// Starts the hello as a process of its own.
pub fn start(folder: &Path) -> Result<Server> {
    start_as("native-hello", folder)
}

/// Starts the store as a process of its own: `/{key}` gives the value that it holds.
pub fn start_state(folder: &Path) -> Result<Server> {
    start_as("native-state", folder)
}

fn start_as(command: &str, folder: &Path) -> Result<Server> {
    let address = server::free_address()?;
    let own = env::current_exe().context("finding the benchmarks' own binary")?;
    let mut process = Command::new(own);
    process.args([command, "--port", &address.port().to_string()]);
    let log = folder.join(format!("{command}.log"));
    Server::start(&mut process, address, "/", &log)
}

/// Is the hello, until the process ends.
pub fn serve(port: u16) -> Result<()> {
    let hello = routing::get(|| async { "Hello, world!\n" });
    let router = Router::new().route("/", hello.clone()).fallback(hello);
    runtime()?.block_on(listen(port, router))
}

/// Is the store, until the process ends.
pub fn serve_state(port: u16, value: &'static str) -> Result<()> {
    runtime()?.block_on(async {
        let opened = driver::open("state.in-memory", PathBuf::new()).await?;
        let store = opened.state.context("state.in-memory serves state")?;
        let request = SetRequest {
            key: KEY.to_owned(),
            value: Bytes::from_static(value.as_bytes()),
            precondition: Precondition::None,
            consistency: None,
            ttl: None,
            content_type: None,
            metadata: Vec::new(),
        };
        store.set(request).await?;
        let router = Router::new()
            .route("/", routing::get(|| async { "ready" }))
            .route("/{key}", routing::get(state))
            .with_state(store);
        listen(port, router).await
    })
}

/// The key that the store holds.
pub const KEY: &str = "order-17";

async fn state(
    State(store): State<Arc<dyn StateStore>>,
    Segments(key): Segments<String>,
) -> Response {
    match store.get(&key, &GetOptions::default()).await {
        Ok(Some(entry)) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json".to_owned()),
                (header::ETAG, entry.etag),
            ];
            (headers, entry.value).into_response()
        }
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.enable_all().build()?)
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
