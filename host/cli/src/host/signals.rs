//! How people and supervisors end a host.

use crate::failure::INTERRUPTED;
use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled by the first SIGTERM or SIGINT. The second one ends the process at once.
pub fn listen() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        loop {
            next(&mut terminate, &mut interrupt).await;
            if stopped.is_cancelled() {
                std::process::exit(INTERRUPTED.into());
            }
            tracing::info!("stopping: a second signal ends the host at once");
            stopped.cancel();
        }
    });
    Ok(stop)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
