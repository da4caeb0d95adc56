//! A native hello on axum: what the machine gives without any guest.

use crate::server::{self, Server};
use anyhow::{Context, Result};
use axum::{Router, routing};
use std::{env, net::Ipv4Addr, path::Path, process::Command};
use tokio::net::TcpListener;

/// Starts it as a process of its own.
pub fn start(folder: &Path) -> Result<Server> {
    let address = server::free_address()?;
    let own = env::current_exe().context("finding the benchmarks' own binary")?;
    let mut command = Command::new(own);
    command.args(["native-hello", "--port", &address.port().to_string()]);
    Server::start(&mut command, address, "/", &folder.join("native.log"))
}

/// Is it, until the process ends.
pub fn serve(port: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let hello = routing::get(|| async { "Hello, world!\n" });
        let router = Router::new().route("/", hello.clone()).fallback(hello);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            // As its peers do; an error would show in the load itself.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await?;
        Ok(())
    })
}
